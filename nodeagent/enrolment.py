"""Joining an engine, and leaving it, as a person on the node asks for."""

from nodeagent.configuration import Configuration
from nodeagent.decided import Deciding
from nodeagent.dial import read_endpoint
from nodeagent.events import EventQueue
from nodeagent.identity import Identity
from nodeagent.link_thread import LinkThread
from nodeagent.progress import ProgressBoard
from nodeagent.trust import read_pin
from nodelib.bus import JoinRequest
from nodelib.errors import Code, InvalidInput, VirtnodeError

LAST_WORDS = 3.0
"""Seconds that an engine gets to hear that the node leaves it."""


def read_join(request: JoinRequest) -> tuple[str, ...]:
    """Read the pins to trust; raises InvalidInput with all that is wrong, each with its key."""
    problems, hint = [], ""
    try:
        read_endpoint(request.address)
    except InvalidInput as error:
        problems += [f"engine.address: {problem}" for problem in error.problems]
        hint = error.hint
    pins = []
    for number, text in enumerate(request.ca):
        try:
            pins.append(read_pin(text))
        except InvalidInput as error:
            problems += [f"engine.ca[{number}]: {problem}" for problem in error.problems]
            hint = hint or error.hint
    if not request.ca:
        problems.append("engine.ca: without a pin of the engine's authority nothing is trusted")
        hint = hint or "virtnode-engine ca show prints it: sha256: and 64 hexadecimal digits"
    if problems:
        raise InvalidInput(problems, hint)
    return tuple(pins)


class Enrolment:
    """Says which engine the node belongs to; the link follows."""

    def __init__(
        self,
        configuration: Configuration,
        identity: Identity,
        events: EventQueue,
        board: ProgressBoard,
        link: LinkThread,
    ) -> None:
        self._configuration = configuration
        self._identity = identity
        self._events = events
        self._board = board
        self._link = link

    def join(self, request: JoinRequest, actor: str) -> None:
        """Join an engine, from now on; raises InvalidInput for an address or a pin that is none."""
        pins = read_join(request)
        before = self._configuration.intent.engine
        patch = {"engine": {"address": request.address, "ca": list(pins), "token": request.token}}
        with self._link.changing():
            is_other = (before.address, set(before.ca)) != (request.address, set(pins))
            who = Deciding.NOBODY if is_other else Deciding.PEOPLE
            self._configuration.apply_at_once(patch, actor, who)
            if is_other:
                self._identity.forget()
            self._events.add(
                kind="join",
                text=f"joins the engine at {request.address}",
                actor=actor,
                before={"address": before.address, "ca": list(before.ca)},
                after={"address": request.address, "ca": list(pins)},
            )

    def leave(self, actor: str) -> None:
        """Leave the engine: the node stays by itself until it is joined again."""
        engine = self._configuration.intent.engine
        if not engine.address:
            raise VirtnodeError(Code.CONFLICT, "this node has no engine to leave")
        self._events.add(
            kind="leave",
            text=f"leaves the engine at {engine.address}",
            actor=actor,
            before={"address": engine.address, "ca": list(engine.ca)},
            after={"address": "", "ca": []},
        )
        if self._board.now.connected:
            # Afterwards there is nobody left to tell.
            self._events.wait_until_reported(LAST_WORDS)
        with self._link.changing():
            patch = {"engine": {"address": "", "ca": [], "token": ""}}
            self._configuration.apply_at_once(patch, actor, Deciding.NOBODY)
            self._identity.forget()

    def renew_key(self, actor: str) -> None:
        """Have another key, for one that the engine bars or that a copied disk shares; then join anew."""
        before = self._identity.fingerprint
        with self._link.changing():
            self._identity.renew_key()
            self._events.add(
                kind="new-key",
                text="has another key, and joins anew",
                actor=actor,
                before={"fingerprint": before},
                after={"fingerprint": self._identity.fingerprint},
            )
