"""Readings of the measurements of engine and agent."""

import os
from pathlib import Path

from bench.agent_idle import read_answer
from bench.engine_load import Load, Measured, api_line, loads_table
from bench.process import processor_seconds_of, resident_bytes
from tests.image.trees import make_tree


def test_a_process_is_read_whatever_its_name(tmp_path: Path) -> None:
    """A name with blanks and brackets does not shift the fields."""
    ticks = os.sysconf("SC_CLK_TCK")
    stat = f"7 (a) b (c) S {' '.join(['0'] * 10)} {3 * ticks} {ticks} 0\n"
    make_tree(tmp_path, {"proc/7/stat": stat, "proc/7/status": "Name: a\nVmRSS:\t  1024 kB\n"})
    assert processor_seconds_of(7, tmp_path) == 4.0
    assert resident_bytes(7, tmp_path) == 1 << 20


def test_an_agents_answer_is_read() -> None:
    """Memory in bytes, time in seconds."""
    text = "VmHWM:\t  50000 kB\nVmRSS:\t  40000 kB\n120 30\n100.50 150.00\n"
    assert read_answer(text) == (40000 * 1024, 50000 * 1024, 1.5, 100.5)


def test_the_floor_stands_beside_the_engine() -> None:
    """Both are told in one table, and the API's late answers for themselves."""
    load = Load(resident=120_000_000, processor=10, clock=60, median_ms=2, late_ms=9)
    table = loads_table(Measured(load, load, {}, (1.0,), (1.0,)))
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:]] == ["engine", "bare connections"]
    assert "p99 100.0 ms" in api_line([float(number) for number in range(1, 101)])
