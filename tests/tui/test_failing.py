"""Nodes that cannot join, or are not well with their engine: what the ladder and the status screen say."""

import asyncio
import dataclasses
from dataclasses import dataclass

import pytest

from nodeagent.join_error import JoinError
from nodeagent.ladder import LadderWatch, Surroundings, summary
from nodeagent.ladder_checks import Gateway
from nodeagent.progress import Progress, ProgressBoard
from nodelib.bus import LADDER, LadderReply
from nodelib.errors import Code
from nodelib.facts import Nic
from nodelib.ladder import Ladder, Step, StepState
from tests.tui.conftest import Picture
from tests.tui.sessions import Session, running
from tui.texts import say

ENGINE = "engine.example.org"
ETH0 = Nic("eth0", "physical", link=True, speed_mbps=1000, addresses=("192.0.2.5/24",))


def resolve(host: str) -> tuple[str, ...]:
    """Know one name."""
    if host != ENGINE:
        raise JoinError(
            Step.DNS, Code.UNAVAILABLE, f"the name {host} cannot be resolved", "look at the DNS servers"
        )
    return ("192.0.2.10",)


def climb(progress: Progress, *, engine: str = ENGINE, nic: Nic = ETH0) -> Ladder:
    """Let a node's own ladder be climbed."""
    watch = LadderWatch(lambda target: Gateway("192.0.2.1", "eth0", True), resolve)
    return watch.climb(Surroundings((nic,), engine, "", progress, "7KX2M-9QWRT", 1000.0, 500.0))


def failed_at(step: Step, message: str, hint: str, **heard: str) -> Progress:
    """Make the progress of a link that failed at a step, once an engine had said something or nothing."""
    board = ProgressBoard(lambda progress: None)
    board.begin(ENGINE, token_given=True, proxy_given=False)
    board.fail(step, message, hint)
    return dataclasses.replace(board.now, **heard)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Case:
    """A node in trouble: its ladder, what the engine said of it, and what the status screen must say."""

    ladder: Ladder
    progress: Progress
    says: tuple[str, ...]
    engine: str = ENGINE


DOWN = climb(Progress(engine=ENGINE), nic=dataclasses.replace(ETH0, link=False))
PIN = failed_at(
    Step.TLS_PIN,
    "the other end's authority is not the pinned one",
    "compare the pin with the one that the engine shows; somebody may be in between",
)
TOKEN = failed_at(
    Step.TOKEN, "the token is not known, or was used up", "ask for another, or join without one"
)
REJECTED = Progress(ENGINE, reached=Step.TOKEN, state="rejected", reason="not ours", token_given=True)
GONE = failed_at(Step.TCP, f"{ENGINE} does not answer", "is it running?", state="up", node="n", name="hv1")
HELD = Progress(ENGINE, reached=Step.HEARTBEAT, connected=True, name="hv1")
ILL = dataclasses.replace(HELD, state="non-operational", reason="no KVM")
BROKEN = dataclasses.replace(HELD, state="failed", reason="its installation failed")
CASES = {
    "link": Case(DOWN, Progress(ENGINE), ("Cannot join: No port has a link: eth0.", "Plug a cable in")),
    "dns": Case(
        climb(Progress("nowhere"), engine="nowhere"),
        Progress("nowhere"),
        ("Cannot join: The name nowhere cannot be resolved.", "Look at the DNS servers."),
        "nowhere",
    ),
    "pin": Case(climb(PIN), PIN, ("Cannot join: The other end's authority", "Compare the pin")),
    "token": Case(climb(TOKEN), TOKEN, ("Cannot join: The token is not known", "Ask for another")),
    "rejected": Case(climb(REJECTED), REJECTED, ("The engine rejected this node: not ours.", "Have it")),
    "unreachable": Case(
        climb(GONE), GONE, ("engine unreachable, as hv1", f"Cannot reach the engine: {ENGINE} does not")
    ),
    "non-operational": Case(climb(ILL), ILL, ("not operational, as hv1", "No KVM.")),
    "failed": Case(climb(BROKEN), BROKEN, ("failed, as hv1", "Its installation failed.")),
}


async def show(session: Session, case: Case) -> None:
    """Let a recorded machine be in trouble."""
    text, hint = summary(case.ladder)
    progress = case.progress
    session.machine.put(LADDER, LadderReply(case.ladder))
    session.machine.set_status(
        stateless=False,
        engine=case.engine,
        engine_url=f"https://{case.engine}/",
        connected=progress.connected,
        state=progress.state,
        reason=progress.reason,
        name=progress.name,
        ladder=text,
        hint=hint,
    )
    await session.app.node_watch.refresh()
    await session.settle()


@pytest.mark.parametrize("name", CASES)
def test_a_node_in_trouble_says_why_on_both_screens(name: str) -> None:
    """Status has the reason and what to do, and finds nothing well; the ladder has it at its step."""
    case = CASES[name]

    async def go() -> None:
        async with running("small") as session:
            await show(session, case)
            assert "No problems were found." not in session.text
            for says in case.says:
                assert says in session.text, session.text
            failing = [rung for rung in case.ladder if rung.state == StepState.FAILING]
            assert ("2 shows where it stands." in session.text) is bool(failing)
            await session.press("2")
            heads = [f"[NO] {say(f'join.step.{rung.step}'):<13} {rung.text[:20]}" for rung in failing]
            assert session.text.count("[NO]") == len(failing)
            for head in heads:
                assert head in session.text, session.text

    asyncio.run(go())


def test_a_wrong_pin_looks_so(picture: Picture) -> None:
    """The commonest mistake, as it is seen."""

    async def go() -> None:
        async with running("small") as session:
            await show(session, CASES["pin"])
            picture("failing-status", session)
            await session.press("2")
            picture("failing-join", session)

    asyncio.run(go())


def test_a_node_that_only_waits_is_well() -> None:
    """Joining that goes on, or waits for an administrator, is no trouble."""

    async def go() -> None:
        async with running("small") as session:
            waiting = Progress(ENGINE, reached=Step.TOKEN, state="pending")
            for progress in (Progress(ENGINE), waiting):
                await show(session, Case(climb(progress), progress, ()))
                assert "No problems were found." in session.text

    asyncio.run(go())
