"""How a recorded machine behaves: joining walks up the ladder to the approval, and then is up."""

from typing import TYPE_CHECKING

from nodelib.bus import JOIN, LADDER, LEAVE, JoinRequest, LadderReply
from nodelib.errors import InvalidInput
from nodelib.ladder import Rung, Step, StepState
from nodelib.link import NodeState, Nothing
from tui.recorded.answer import Answers

if TYPE_CHECKING:
    from tui.recorded.machine import RecordedMachine

SECONDS_A_RUNG = 0.5
SECONDS_TO_APPROVE = 20.0
CODE = "7KX2M-9QWRT"
FINGERPRINT = "SHA256:" + "3fa9c15e07d2b846" * 4


FOUND = {
    Step.LINK: "Link on eth0 at 1000 Mbit/s.",
    Step.ADDRESS: "eth0 has 192.0.2.5/24.",
    Step.GATEWAY: "The gateway 192.0.2.1 on eth0 answers.",
    Step.DNS: "engine.example.org is 192.0.2.10.",
    Step.CLOCK: "This clock agrees with the engine's.",
    Step.PROXY: "No proxy is set.",
    Step.TCP: "engine.example.org takes connections.",
    Step.TLS_PIN: "The engine is the pinned one.",
    Step.TOKEN: "None given: an administrator approves.",
    Step.APPROVAL: "This node is node1.",
    Step.HEARTBEAT: "The engine answers; it says up.",
}


ABOUT_THE_WAY = (Step.GATEWAY, Step.DNS)
"""Who has a connection needs no proof of the way."""


def ladder_up_to(reached: int, failing: str = "") -> LadderReply:
    """Make a ladder of which the first steps hold; the next one fails or is worked at."""
    rungs = []
    for number, step in enumerate(Step):
        state = StepState.OK if number < reached else StepState.WAITING
        text, hint = FOUND[step] if number < reached else "Waits for the steps before.", ""
        if number < reached and step in ABOUT_THE_WAY and reached > list(Step).index(Step.TCP):
            text = "The engine is reached."
        if number == reached:
            text = "Not tried yet."
        if number == reached and failing:
            state, text = StepState.FAILING, failing
        if number == reached and step is Step.APPROVAL:
            text = f"Waits for an administrator to approve {CODE}."
            hint = "compare code and fingerprint with what the engine shows"
        rungs.append(Rung(step, state, text, hint))
    return LadderReply(tuple(rungs))


def join(machine: "RecordedMachine", request: JoinRequest) -> None:
    """Begin to join."""
    problems = []
    if not request.address:
        problems.append("engine.address: a host name or an address is needed")
    elif " " in request.address:
        problems.append(f"engine.address: {request.address!r} is not an address")
    problems += [
        f"engine.ca[{number}]: {pin!r} is not a pin"
        for number, pin in enumerate(request.ca)
        if len(pin) != 71 or not pin.startswith("sha256:")
    ]
    if not request.ca:
        problems.append("engine.ca: without a pin of the engine's authority nothing is trusted")
    if problems:
        raise InvalidInput(problems)
    machine.notes["joined_at"] = machine.clock()
    machine.set_status(
        engine=request.address,
        engine_url=f"https://{request.address.partition(':')[0]}/",
        engine_pins=request.ca,
        approval_code=CODE,
        fingerprint=FINGERPRINT,
        state="",
        connected=False,
    )
    machine.put(LADDER, ladder_up_to(0))


def leave(machine: "RecordedMachine", request: Nothing) -> None:
    """Forget the engine."""
    machine.notes.pop("joined_at", None)
    machine.put(LADDER, LadderReply(()))
    machine.set_status(
        engine="",
        engine_url="",
        engine_pins=(),
        approval_code="",
        state="",
        connected=False,
        node="",
        name="",
    )


def climb(machine: "RecordedMachine") -> None:
    """Come as far as one would in the time since the join began."""
    if "joined_at" in machine.notes:
        passed = machine.clock() - machine.notes["joined_at"]
        approval = list(Step).index(Step.APPROVAL)
        reached = min(int(passed / SECONDS_A_RUNG), approval)
        if passed >= SECONDS_TO_APPROVE:
            machine.notes.pop("joined_at")
            reached = len(Step)
            machine.set_status(state=NodeState.UP.value, connected=True, approval_code="", ladder="", hint="")
        elif reached == approval:
            rung = ladder_up_to(reached).rungs[reached]
            machine.set_status(
                state=NodeState.PENDING.value, connected=True, ladder=rung.text, hint=rung.hint
            )
        machine.put(LADDER, ladder_up_to(reached))


ANSWERS: Answers = {JOIN: join, LEAVE: leave}
