"""Readings of the measurements of engine and agent."""

import os
from pathlib import Path

from bench.agent_idle import Usage, compare, read_answer
from bench.engine_load import OWN_TIMES, Load, Measured, api_line, late_bound_ms, loads_table
from bench.process import processor_seconds_of, resident_bytes
from engine.histogram import Timings
from engine.rest.metrics import Metrics
from tests.image.trees import make_tree


def test_a_process_is_read_whatever_its_name(tmp_path: Path) -> None:
    """A name with blanks and brackets does not shift the fields."""
    ticks = os.sysconf("SC_CLK_TCK")
    stat = f"7 (a) b (c) S {' '.join(['0'] * 10)} {3 * ticks} {ticks} 0\n"
    make_tree(tmp_path, {"proc/7/stat": stat, "proc/7/status": "Name: a\nVmRSS:\t  1024 kB\n"})
    assert processor_seconds_of(7, tmp_path) == 4.0
    assert resident_bytes(7, tmp_path) == 1 << 20


def test_an_agents_answer_is_read() -> None:
    """Memory in bytes, time in seconds, the agent's own apart from its commands'."""
    stat = f"7 (a) b) S {' '.join(['0'] * 10)} 120 30 50 25 20"
    text = f"VmHWM:\t  50000 kB\nVmRSS:\t  40000 kB\n{stat}\n100.50 150.00\n"
    assert read_answer(text) == Usage(40000 * 1024, 50000 * 1024, 1.5, 0.75, 100.5)


def test_two_looks_at_an_agent_are_compared() -> None:
    """Shares are of the time between them."""
    looks = iter([Usage(1, 1, 2.0, 10.0, 100.0), Usage(42_500_000, 43_000_000, 2.5, 11.5, 200.0)])
    cells = compare(lambda: next(looks), 0).splitlines()[-1].split("|")
    assert [cell.strip() for cell in cells if cell.strip()] == ["42.5", "43.0", "0.50", "2.00", "100"]


def test_the_floor_stands_beside_the_engine() -> None:
    """Both are told in one table, and the API's late answers for themselves."""
    load = Load(resident=120_000_000, processor=10, clock=60, median_ms=2, late_ms=9)
    table = loads_table(Measured(load, load, {}, (1.0,), (1.0,)))
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:]] == ["engine", "bare connections"]
    assert "p99 100.0 ms" in api_line([float(number) for number in range(1, 101)])


def test_what_the_engine_measures_itself_is_read() -> None:
    """The bound below which 99 of 100 answers are; other verbs do not count."""
    timings = Timings("virtnode_link_answer_seconds", "How long.", ("verb",))
    for seconds in (*[0.004] * 97, 0.02, 0.02, 0.9):
        timings.observe(("heartbeat",), seconds)
    timings.observe(("register",), 3.0)
    text = Metrics([], [timings]).render().decode()
    assert late_bound_ms(text, OWN_TIMES["heartbeats"]) == 25.0
    assert late_bound_ms(text, OWN_TIMES["registrations"]) == 5000.0
