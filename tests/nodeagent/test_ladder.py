"""The join ladder: every step provoked to fail, each with a sentence and a hint."""

import dataclasses

import pytest

from nodeagent.facts.sources import Command
from nodeagent.gateway import GatewayFinder
from nodeagent.join_error import JoinError
from nodeagent.ladder import LadderWatch, Surroundings, summary
from nodeagent.ladder_checks import Gateway
from nodeagent.progress import REMOTE_STEPS, Progress, ProgressBoard
from nodelib.errors import Code
from nodelib.facts import Nic
from nodelib.ladder import Ladder, Rung, Step, StepState
from nodelib.places import Place, at

ETH0 = Nic("eth0", "physical", link=True, speed_mbps=1000, addresses=("192.0.2.5/24",))
ANSWERS = Gateway("192.0.2.1", "eth0", True)
JOINED = Progress(
    engine="engine.example.org", reached=Step.HEARTBEAT, connected=True, state="up", name="node1"
)
AROUND = Surroundings(
    nics=(ETH0,),
    engine="engine.example.org",
    proxy="",
    progress=Progress(engine="engine.example.org"),
    code="ABCDE-12345",
    now=1000.0,
    built_at=500.0,
)


def watch(gateway: Gateway | None = ANSWERS, *, resolves: bool = True) -> LadderWatch:
    """Make a ladder with a gateway and a resolver that are as a test wants them."""

    def resolve(host: str) -> tuple[str, ...]:
        if not resolves:
            raise JoinError(Step.DNS, Code.UNAVAILABLE, f"the name {host} cannot be resolved", "check DNS")
        return ("192.0.2.9",)

    return LadderWatch(lambda target: gateway, resolve)


def failing(step: Step, message: str = "it did not work", **fields: object) -> Surroundings:
    """Stand where the link failed at a step."""
    board = ProgressBoard(lambda progress: None)
    board.begin("engine.example.org", token_given=True, proxy_given=step is Step.PROXY)
    board.fail(step, message, "do this")
    progress = dataclasses.replace(board.now, **fields)  # type: ignore[arg-type]
    return dataclasses.replace(AROUND, progress=progress, proxy="http://p:1" if step is Step.PROXY else "")


def rung(ladder: Ladder, step: Step) -> Rung:
    """Find a step."""
    return next(one for one in ladder if one.step is step)


@pytest.mark.parametrize(
    ("step", "around", "ladder", "words"),
    [
        (Step.LINK, dataclasses.replace(AROUND, nics=()), watch(), "No network port"),
        (
            Step.LINK,
            dataclasses.replace(AROUND, nics=(dataclasses.replace(ETH0, link=False),)),
            watch(),
            "No port has a link: eth0",
        ),
        (
            Step.ADDRESS,
            dataclasses.replace(AROUND, nics=(dataclasses.replace(ETH0, addresses=()),)),
            watch(),
            "No interface has an IP address",
        ),
        (Step.GATEWAY, AROUND, watch(None), "no route"),
        (Step.GATEWAY, AROUND, watch(Gateway("192.0.2.1", "eth0", False)), "does not answer"),
        (Step.GATEWAY, dataclasses.replace(AROUND, engine="host:port"), watch(), "not a port"),
        (Step.DNS, AROUND, watch(resolves=False), "cannot be resolved"),
        (Step.CLOCK, failing(Step.CLOCK), watch(), "It did not work."),
        (Step.PROXY, failing(Step.PROXY), watch(), "It did not work."),
        (Step.TCP, failing(Step.TCP), watch(), "It did not work."),
        (Step.TLS_PIN, failing(Step.TLS_PIN), watch(), "It did not work."),
        (Step.TOKEN, failing(Step.TOKEN), watch(), "It did not work."),
        (Step.APPROVAL, failing(Step.APPROVAL), watch(), "It did not work."),
        (
            Step.APPROVAL,
            dataclasses.replace(
                AROUND,
                progress=Progress("e", reached=Step.TOKEN, state="rejected", reason="not ours"),
            ),
            watch(),
            "rejected this node: not ours",
        ),
        (Step.HEARTBEAT, failing(Step.HEARTBEAT), watch(), "It did not work."),
    ],
)
def test_each_step_can_fail(step: Step, around: Surroundings, ladder: LadderWatch, words: str) -> None:
    """The failing step has a sentence and a hint; those before hold, those after wait."""
    rungs = ladder.climb(around)
    assert [one.step for one in rungs] == list(Step)
    place = list(Step).index(step)
    assert [one.state for one in rungs[:place]] == [StepState.OK] * place
    assert rungs[place].state is StepState.FAILING
    assert {one.state for one in rungs[place + 1 :]} <= {StepState.WAITING}
    assert words.lower() in rungs[place].text.lower()
    assert rungs[place].hint
    assert summary(rungs) == (rungs[place].text, rungs[place].hint)


def test_a_joined_node_has_nothing_to_do() -> None:
    """All steps hold, and a gateway that does not answer pings is no matter: the engine is reached."""
    ladder = watch(None, resolves=False).climb(dataclasses.replace(AROUND, progress=JOINED))
    assert {one.state for one in ladder} == {StepState.OK}
    assert summary(ladder) == ("", "")
    assert "node1" in rung(ladder, Step.APPROVAL).text


def test_a_pending_node_waits_for_a_person() -> None:
    """The code is in the sentence; nothing is failing."""
    progress = Progress("e", reached=Step.TOKEN, state="pending")
    ladder = watch().climb(dataclasses.replace(AROUND, progress=progress))
    approval = rung(ladder, Step.APPROVAL)
    assert approval.state is StepState.WAITING
    assert "ABCDE-12345" in approval.text
    assert "administrator" in rung(ladder, Step.TOKEN).text


def test_without_an_engine_the_network_is_looked_at() -> None:
    """Cable, address and gateway are checked, and the rest says what to do first."""
    ladder = watch().climb(dataclasses.replace(AROUND, engine="", progress=Progress()))
    assert rung(ladder, Step.GATEWAY).state is StepState.OK
    assert rung(ladder, Step.DNS).hint == at(Place.JOIN)


def test_a_dead_clock_is_told_and_does_not_block() -> None:
    """The skew to the engine is shown while the join goes on; a small one is not worth a word."""
    late = dataclasses.replace(AROUND, progress=dataclasses.replace(JOINED, skew=3 * 86400.0))
    clock = rung(watch().climb(late), Step.CLOCK)
    assert clock.state is StepState.OK
    assert "3 days behind" in clock.text
    assert clock.hint
    early = dataclasses.replace(AROUND, progress=dataclasses.replace(JOINED, skew=-7200.0))
    assert "2 hours ahead" in rung(watch().climb(early), Step.CLOCK).text
    fine = dataclasses.replace(AROUND, progress=dataclasses.replace(JOINED, skew=1.0))
    assert "agrees" in rung(watch().climb(fine), Step.CLOCK).text
    unset = dataclasses.replace(AROUND, now=10.0)
    assert "before this image" in rung(watch().climb(unset), Step.CLOCK).text


def test_since_is_when_the_state_began() -> None:
    """A step that stays as it is keeps its time."""
    ladder = watch()
    ladder.climb(AROUND)
    ladder.climb(dataclasses.replace(AROUND, now=1100.0))
    last = ladder.climb(dataclasses.replace(AROUND, now=1200.0, nics=()))
    assert rung(last, Step.LINK).since == 1200.0
    assert rung(last, Step.TCP).since == 1000.0


def test_an_address_needs_no_name_server() -> None:
    """Nothing is looked up for an engine, or a proxy, that is given by address."""
    around = dataclasses.replace(AROUND, engine="192.0.2.9:7443")
    assert rung(watch(resolves=False).climb(around), Step.DNS).state is StepState.OK
    around = dataclasses.replace(AROUND, proxy="http://[2001:db8::1]:3128")
    assert rung(watch(resolves=False).climb(around), Step.DNS).state is StepState.OK


def test_progress_knows_what_holds() -> None:
    """A failure takes back what came after it, and what another engine said is forgotten."""
    changes: list[Progress] = []
    board = ProgressBoard(changes.append)
    board.begin("a", token_given=False, proxy_given=False)
    board.reach(Step.HEARTBEAT)
    board.hear(state="up", node="n", name="node1")
    assert board.now.connected
    assert all(board.now.holds(step) for step in REMOTE_STEPS)
    board.fail(Step.TCP, "no", "hint")
    assert not board.now.connected
    assert board.now.holds(Step.PROXY)
    assert not board.now.holds(Step.TCP)
    board.begin("a", token_given=False, proxy_given=False)
    assert board.now.name == "node1"
    board.begin("b", token_given=False, proxy_given=False)
    assert board.now.name == ""
    count = len(changes)
    board.begin("b", token_given=False, proxy_given=False)
    assert len(changes) == count


ROUTE = '[{"dst":"192.0.2.9","gateway":"198.51.100.1","dev":"eth0","flags":[]}]'
DEFAULT = '[{"dst":"default","gateway":"198.51.100.1","dev":"eth0","flags":[]}]'


def iproute(neighbours: list[str], route: str = ROUTE) -> Command:
    """Answer as ip(8) does; each look at the neighbours gets the next answer, the last one for ever."""

    def command(argv: object) -> str:
        words = list(argv) if isinstance(argv, tuple) else []
        if "neighbour" in words:
            state = neighbours.pop(0) if len(neighbours) > 1 else neighbours[0]
            return f'[{{"dst":"198.51.100.1","state":["{state}"]}}]' if state else "[]"
        if "get" in words:
            return route
        return DEFAULT if "-4" in words else "[]"

    return command


@pytest.mark.parametrize(
    ("neighbours", "answers"),
    [
        (["REACHABLE"], True),
        (["STALE"], True),
        (["", "INCOMPLETE", "REACHABLE"], True),
        (["", "INCOMPLETE", "FAILED"], False),
        (["INCOMPLETE"], False),
    ],
)
def test_a_gateway_answers_the_kernel(neighbours: list[str], answers: bool) -> None:
    """A neighbour that is known is enough; one that is not known is asked for, and waited for."""
    provoked: list[str] = []
    finder = GatewayFinder(iproute(neighbours), provoke=provoked.append, wait=lambda seconds: None)
    known = neighbours[0] in ("REACHABLE", "STALE")
    assert finder.find("192.0.2.9") == Gateway("198.51.100.1", "eth0", answers)
    assert provoked == ([] if known else ["198.51.100.1"])


def test_the_way_may_need_no_gateway() -> None:
    """An engine on the same network, a default route for a name, and no way at all."""
    direct = '[{"dst":"192.0.2.9","dev":"eth0","prefsrc":"192.0.2.5","flags":[]}]'
    assert GatewayFinder(iproute([""], direct)).find("192.0.2.9") == Gateway()
    assert GatewayFinder(iproute(["STALE"])).find(None) == Gateway("198.51.100.1", "eth0", True)
    assert GatewayFinder(lambda argv: "").find(None) is None
