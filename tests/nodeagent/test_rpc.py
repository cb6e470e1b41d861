"""Both directions of the link over frames in memory, and the queue of events."""

import json
from pathlib import Path

import pytest

from nodeagent.bell import Bell
from nodeagent.events import BATCH, LONGEST, QUEUE, EventQueue
from nodeagent.rpc import Answer, Rpc
from nodelib.errors import Code, VirtnodeError
from nodelib.link import GET_FACTS, HEARTBEAT, HELLO, RENEW, Heartbeat, Nothing, RenewReply, RenewRequest


class FramesInMemory:
    """Gives what a test put in, and keeps what was sent; a clock that moves when nothing comes."""

    def __init__(self, *incoming: str) -> None:
        self.incoming = list(incoming)
        self.sent: list[dict[str, object]] = []
        self.now = 0.0

    def send(self, text: str) -> None:
        """Keep a frame."""
        self.sent.append(json.loads(text))

    def receive(self, timeout: float, bell: Bell | None = None) -> str | None:
        """Give the next frame, or let the time pass."""
        if self.incoming:
            return self.incoming.pop(0)
        self.now += timeout
        return None


def rpc(frames: FramesInMemory) -> Rpc:
    """Speak over frames in memory."""
    return Rpc(frames, lambda: frames.now)


def test_a_call_waits_for_its_reply_and_serves_meanwhile() -> None:
    """A late answer, garbage and the engine's own call come first."""
    frames = FramesInMemory(
        '{"jsonrpc":"2.0","id":99,"result":{}}',
        "garbage",
        '{"jsonrpc":"2.0","id":7,"method":"get_facts","params":{}}',
        '{"jsonrpc":"2.0","id":1,"result":{"certificate":"PEM","from a newer engine":1}}',
    )
    link = rpc(frames)
    link.serve(Answer(GET_FACTS, lambda request: Nothing()))
    assert link.call(RENEW, RenewRequest("CSR"), 5) == RenewReply("PEM")
    called, complained, answered = frames.sent
    assert (called["method"], called["params"]) == ("renew", {"csr": "CSR"})
    assert "error" in complained
    assert answered == {"jsonrpc": "2.0", "id": 7, "result": {}}


def test_no_answer_is_an_error_in_the_end() -> None:
    """The engine has only so long."""
    with pytest.raises(VirtnodeError, match="did not answer renew within 5 s") as caught:
        rpc(FramesInMemory()).call(RENEW, RenewRequest("CSR"), 5)
    assert caught.value.code is Code.UNAVAILABLE


def test_errors_travel_both_ways(caplog: pytest.LogCaptureFixture) -> None:
    """What the engine refuses is raised; what fails here is answered, and a bug keeps its secrets."""
    frames = FramesInMemory(
        '{"jsonrpc":"2.0","id":1,"error":{"code":-32003,"message":"no","data":{"hint":"ask"}}}'
    )
    with pytest.raises(VirtnodeError, match="no") as caught:
        rpc(frames).call(RENEW, RenewRequest("CSR"), 5)
    assert (caught.value.code, caught.value.hint) == (Code.DENIED, "ask")

    def broken(request: object) -> object:
        raise ZeroDivisionError("a secret detail")

    frames = FramesInMemory('{"jsonrpc":"2.0","id":3,"method":"get_facts"}')
    link = rpc(frames)
    link.serve(Answer(GET_FACTS, broken))
    link.pump(1)
    assert "secret" not in json.dumps(frames.sent)
    assert "secret" in caplog.text


@pytest.mark.parametrize(
    "first", ['{"jsonrpc":"2.0","id":1,"method":"reboot"}', '{"jsonrpc":"2.0","id":1,"result":1}', "x", None]
)
def test_nothing_is_said_before_the_hello(first: str | None) -> None:
    """Whatever else comes first gets no answer at all."""
    frames = FramesInMemory(*([first] if first else []))
    with pytest.raises(VirtnodeError):
        rpc(frames).expect(HELLO, 5)
    assert frames.sent == []


def test_a_heartbeat_of_nonsense_is_refused() -> None:
    """A reply of another form than the verb's is an error with its place."""
    frames = FramesInMemory('{"jsonrpc":"2.0","id":1,"result":{"state":"frob"}}')
    with pytest.raises(VirtnodeError, match="state: 'frob' is not one of"):
        rpc(frames).call(HEARTBEAT, Heartbeat(0.0, 0.0, 0.0, 0), 5)


def test_events_survive_a_restart(tmp_path: Path) -> None:
    """Each is on disk when `add` returns, in order, until it is acknowledged."""
    queue = EventQueue(tmp_path, lambda: 5.0)
    for number in range(3):
        queue.add(kind="k", text=str(number), actor="root", before={"a": 1})
    again = EventQueue(tmp_path, lambda: 6.0)
    assert [event.text for event in again.waiting()] == ["0", "1", "2"]
    assert again.waiting()[0].before == {"a": 1}
    again.acknowledge(again.waiting()[:2])
    assert [event.text for event in EventQueue(tmp_path, lambda: 7.0).waiting()] == ["2"]
    assert (tmp_path / QUEUE).stat().st_mode & 0o777 == 0o600


def test_a_broken_queue_begins_anew(tmp_path: Path) -> None:
    """What cannot be read does not keep the agent from starting."""
    (tmp_path / QUEUE).parent.mkdir(parents=True)
    (tmp_path / QUEUE).write_text("{")
    assert EventQueue(tmp_path, lambda: 0.0).waiting() == ()


def test_a_queue_has_an_end(tmp_path: Path) -> None:
    """The oldest go first, and a report carries so many."""
    queue = EventQueue(tmp_path, lambda: 0.0)
    events = {"events": [event(number) for number in range(LONGEST)]}
    (tmp_path / QUEUE).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / QUEUE).write_text(json.dumps(events))
    queue = EventQueue(tmp_path, lambda: 0.0)
    queue.add(kind="k", text="last", actor="root")
    waiting = queue.waiting()
    assert len(waiting) == BATCH
    assert waiting[0].identifier == "1"


def event(number: int) -> dict[str, object]:
    """Write an event as the queue does."""
    words = {"identifier": str(number), "severity": "info", "actor": "a", "kind": "k", "text": "t"}
    return {**words, "time": 0.0, "before": None, "after": None}
