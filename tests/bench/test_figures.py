"""Times, ratios, tables and the machine's description."""

from pathlib import Path

import pytest

from bench.figures import (
    Stopwatch,
    Taken,
    markdown_table,
    pairwise_ratios,
    ratio_line,
    read_load,
    taken_cells,
)
from bench.machine import machine_line, read_machine
from tests.image.trees import make_tree

MACHINE = {
    "proc/cpuinfo": "processor : 0\nmodel name\t: Fast 9000\nflags\t\t: fpu hypervisor lahf_lm\n",
    "proc/meminfo": "MemTotal:       16777216 kB\nMemFree: 1 kB\n",
    "proc/loadavg": "0.50 1.25 2.00 1/99 4242\n",
    "etc/os-release": 'NAME="Any"\nPRETTY_NAME="Any Linux 1"\n',
}


def test_each_of_ours_is_divided_by_its_neighbour() -> None:
    """A slow minute of the machine hits both of a pair."""
    assert pairwise_ratios([1.0, 6.0], [2.0, 4.0]) == [0.5, 1.5]


def test_pairs_must_be_whole() -> None:
    """A build without its counterpart is no measurement."""
    with pytest.raises(ValueError, match="zip"):
        pairwise_ratios([1.0], [])


def test_a_ratio_is_told_with_what_it_is_the_median_of() -> None:
    """Whoever reads it sees the noise."""
    assert ratio_line("seconds", [0.5, 0.75, 0.25]) == "seconds: 0.50 (median of 0.50, 0.75, 0.25)"


def test_a_table_is_aligned_markdown() -> None:
    """Numbers stand to the right."""
    assert markdown_table(["what", "s"], [["a", "10.0"], ["longer", "9"]]) == (
        "| what   |    s |\n| ------ | ---: |\n| a      | 10.0 |\n| longer |    9 |"
    )


def test_the_median_of_several_runs_is_written() -> None:
    """The one in the middle, of each number for itself."""
    assert taken_cells([Taken(1.0, 9.0), Taken(5.0, 8.0), Taken(3.0, 7.0)]) == ("3.0", "8.0")


def test_a_stopwatch_keeps_what_ended_well() -> None:
    """A failed piece has no time."""
    watch = Stopwatch()
    with watch.piece("good"):
        pass
    with pytest.raises(RuntimeError), watch.piece("bad"):
        raise RuntimeError
    assert list(watch.taken) == ["good"]
    assert Taken(1.0, 2.0) + Taken(3.0, 4.0) == Taken(4.0, 6.0)


def test_the_machine_is_described(tmp_path: Path) -> None:
    """Processor, cores, memory, system, and how busy it is."""
    make_tree(tmp_path, MACHINE)
    machine = read_machine(tmp_path, cores=4, kernel="6.1")
    assert machine_line(machine) == (
        "Fast 9000, 4 cores, 16 GiB (virtual machine), Any Linux 1, kernel 6.1, load 0.5 1.2 2.0"
    )
    assert read_load(tmp_path) == 0.5


def test_a_machine_that_says_little_is_described(tmp_path: Path) -> None:
    """Unknown is written where nothing is known."""
    make_tree(tmp_path, {**MACHINE, "proc/cpuinfo": "processor : 0\n", "etc/os-release": ""})
    machine = read_machine(tmp_path, cores=1, kernel="6.1")
    assert machine_line(machine).startswith("unknown processor, 1 cores, 16 GiB (machine), unknown dist")
