"""The console of a booted node: on a serial line as a technician sees it, and on the screen beside it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import pytest

from image.accelerator import Accelerator
from image.qemu import HOST_ADDRESS
from tests.vm.guest import Guest, switched_on, wait_until, with_screen
from tests.vm.joining import Engine, make_node, running_engine, short_folder
from tests.vm.screen import Screen
from tests.vm.terminal import CODE, Terminal, terminal_on

pytestmark = [pytest.mark.vm, pytest.mark.timeout(3600)]

BOOT_SECONDS = 900.0
ADDRESS, ELSEWHERE = "10.0.2.50/24", "192.0.2.9/24"
HOST_NAME = "node7.example.org"

AnyTerminal: TypeAlias = Terminal | Screen


@dataclass(frozen=True)
class Bench:
    """What a technician has: the node, a terminal on its serial line, and an engine to join."""

    node: Guest
    terminal: AnyTerminal
    engine: Engine
    evidence: Path


@pytest.fixture
def bench(artefacts: Path, accelerator: Accelerator, tmp_path: Path) -> Iterator[Bench]:
    """Switch a node on that has a screen, a keyboard and a serial line."""
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    with short_folder(tmp_path) as folder, running_engine(folder) as engine:
        node = with_screen(make_node(artefacts, folder / "node", accelerator))
        with switched_on(node, evidence, engine.log), terminal_on(node) as terminal:
            yield Bench(node, terminal, engine, evidence)


def test_a_technician_sets_a_node_up(bench: Bench) -> None:
    """Name, address, a mistake that mends itself, an engine; over all of it the screen stays clean."""
    bench.terminal.wait_for("press 2 to join an engine", BOOT_SECONDS)
    bench.node.wait_for_shell()
    gets_a_name(bench)
    gets_an_address(bench)
    gets_its_address_back(bench)
    is_not_written_over(bench)
    says_that_the_agent_is_away(bench)
    joins_an_engine(bench)
    is_on_its_screen_too(bench)


@pytest.mark.thorough
def test_a_technician_sets_a_node_up_at_its_own_screen(bench: Bench) -> None:
    """The same with the machine's keyboard, read off the screen."""
    bench.terminal.wait_for("press 2 to join an engine", BOOT_SECONDS)
    bench.node.wait_for_shell()
    here = replace(bench, terminal=Screen(bench.node))
    here.terminal.wait_for("press 2 to join an engine", BOOT_SECONDS)
    gets_a_name(here)
    gets_an_address(here)
    gets_its_address_back(here)
    joins_an_engine(here)
    bench.node.screenshot(bench.evidence / "up.png")


def gets_a_name(bench: Bench) -> None:
    """Type a host name on the network screen, look at the preview, keep it."""
    terminal = bench.terminal
    ask_for_name(terminal)
    terminal.type(HOST_NAME)
    go_and_enter(terminal, 6)
    terminal.wait_for(f"- host name {HOST_NAME}")
    go_and_enter(terminal, 1)
    keep(terminal)
    assert bench.node.run("hostname").strip() == HOST_NAME
    assert HOST_NAME in terminal.text.splitlines()[0]


def gets_an_address(bench: Bench) -> None:
    """Choose static, type address and gateway, keep it before the countdown ends."""
    terminal = bench.terminal
    terminal.wait_for("10.0.2.15/24")
    terminal.press("c")
    terminal.wait_for("IPv4 addresses")
    terminal.press("enter")
    terminal.wait_for("static: the addresses below")
    terminal.press("down", "down", "enter")
    go_and_type(terminal, ADDRESS)
    go_and_type(terminal, HOST_ADDRESS)
    go_and_enter(terminal, 7)
    terminal.wait_for("What will change")
    go_and_enter(terminal, 1)
    keep(terminal)
    wait_until(lambda: addresses_of(bench.node) == {ADDRESS}, 60, f"{ADDRESS} in the node")
    terminal.wait_for(ADDRESS)


def gets_its_address_back(bench: Bench) -> None:
    """Set an address that cuts the node off, and do nothing: it comes back, and the screen says so."""
    terminal = bench.terminal
    terminal.press("c")
    terminal.wait_for(f"[{ADDRESS}")
    go_and_type(terminal, ELSEWHERE, erase=len(ADDRESS))
    go_and_type(terminal, "", erase=len(HOST_ADDRESS))
    go_and_enter(terminal, 7)
    terminal.wait_for("What will change")
    go_and_enter(terminal, 1)
    terminal.wait_for("It goes back by itself in")
    wait_until(lambda: addresses_of(bench.node) == {ELSEWHERE}, 60, f"{ELSEWHERE} in the node")
    wait_until(lambda: addresses_of(bench.node) == {ADDRESS}, 180, f"{ADDRESS} to come back")
    terminal.wait_until_gone("It goes back by itself in", 120)
    terminal.wait_until_gone(ELSEWHERE)
    terminal.wait_for(ADDRESS)


def is_not_written_over(bench: Bench) -> None:
    """Let kernel and systemd complain: that is in the journal, and not on the screen."""
    bench.node.run("echo '<3>virtnode-test: an error of a driver' >/dev/kmsg")
    bench.node.run("systemd-run --unit=virtnode-test-failure /bin/false")
    wait_until(
        lambda: "virtnode-test: an error" in bench.node.run("journalctl --boot --no-pager --dmesg"),
        60,
        "the kernel's message",
    )
    bench.terminal.settle()
    assert "virtnode-test" not in bench.terminal.text
    before = bench.terminal.text.splitlines()[1:]
    bench.terminal.press("ctrl+l")
    assert bench.terminal.text.splitlines()[1:] == before
    bench.node.run("systemctl reset-failed virtnode-test-failure")


def says_that_the_agent_is_away(bench: Bench) -> None:
    """Kill the agent: a banner says so, and goes when the agent is back."""
    bench.node.run("systemctl kill --signal=KILL virtnode-agent.service")
    bench.terminal.wait_for("The agent does not answer", 120)
    bench.terminal.wait_until_gone("The agent does not answer", 180)


def joins_an_engine(bench: Bench) -> None:
    """Type address and pin, compare the code on the screen with the engine's, approve it, see it up."""
    terminal, engine = bench.terminal, bench.engine
    terminal.press("2")
    terminal.wait_for("CA pin")
    terminal.type(f"{HOST_ADDRESS}:{engine.link_port}")
    terminal.press("tab")
    terminal.type(engine.pin())
    terminal.press("enter")
    pending = engine.wait_for_state("pending")
    terminal.wait_for(pending["code"], 120)
    assert set(CODE.findall(terminal.text)) == {pending["code"]}
    engine.call("nodes", "approve", pending["code"])
    engine.wait_for_state("up", 180)
    terminal.wait_for("it says up", 120)
    # Ladder and state are two pieces of news, and the screen may be read between them.
    terminal.wait_until_gone("waiting for approval")


def is_on_its_screen_too(bench: Bench) -> None:
    """Look at the screen: the same console is there, and follows its own keyboard."""
    screen = Screen(bench.node)
    screen.wait_for("Status")
    bench.node.screenshot(bench.evidence / "status.png")
    assert (bench.evidence / "status.png").read_bytes().startswith(b"\x89PNG")
    screen.press("3")
    assert HOST_NAME in screen.wait_for("port up")
    ask_for_name(screen)
    screen.press("end", "x")
    screen.wait_for(f"{HOST_NAME}x")


def ask_for_name(terminal: AnyTerminal) -> None:
    """Open the form with the host name."""
    terminal.press("3")
    terminal.wait_for("port up")
    terminal.press("n")
    terminal.wait_for("Names, time, proxy")


def go_and_enter(terminal: AnyTerminal, tabs: int) -> None:
    """Go some fields on and press Enter there."""
    terminal.type("\t" * tabs)
    terminal.press("enter")


def go_and_type(terminal: AnyTerminal, text: str, *, erase: int = 0) -> None:
    """Go to the next field, delete what stands there, and type."""
    terminal.type("\t")
    terminal.press("end")
    terminal.erase(erase)
    terminal.type(text)


def keep(terminal: AnyTerminal) -> None:
    """See the countdown, and keep the change."""
    terminal.wait_for("It goes back by itself in")
    go_and_enter(terminal, 2)
    terminal.wait_until_gone("Keep this change?")


def addresses_of(node: Guest) -> set[str]:
    """List the IPv4 addresses of the node's ports."""
    output = node.run("ip -4 -oneline address show scope global")
    return {line.split()[3] for line in output.splitlines()}
