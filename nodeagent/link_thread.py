"""The thread that keeps the node joined: dial, speak, wait, dial again."""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from nodeagent.backoff import Backoff
from nodeagent.dial import Credentials, Endpoint, Proxy, connect, read_endpoint, read_proxy, start_tls
from nodeagent.engine_time import EngineTime
from nodeagent.join_error import JoinError
from nodeagent.link_client import PING_INTERVAL, PING_TIMEOUT, Channel, Closed, open_channel
from nodeagent.link_session import Joining, LinkSession, Outcome
from nodeagent.trust import pins_of, read_pin
from nodelib.errors import Code, VirtnodeError
from nodelib.ladder import Step
from nodelib.link import REVOKED, NodeState

logger = logging.getLogger(__name__)

DIAL_TIMEOUT = 15.0
REJECTED_WAIT = 600.0
"""Seconds between two tries of a node that was rejected."""


class EngineSettings(Protocol):
    """What the configuration says about the engine: `nodeagent.intent.EngineIntent`."""

    @property
    def address(self) -> str:
        """HOST or HOST:PORT; empty for no engine."""

    @property
    def ca(self) -> tuple[str, ...]:
        """The pins."""

    @property
    def token(self) -> str:
        """The join token, or an empty text."""

    @property
    def proxy(self) -> str:
        """The proxy, or an empty text."""


@dataclass(frozen=True)
class Target:
    """The settings, read."""

    endpoint: Endpoint
    proxy: Proxy | None
    pins: tuple[str, ...]
    address: str
    """As it was given."""
    token: str = field(repr=False)


class LinkThread(threading.Thread):
    """Keeps one connection to the engine that the settings name, until it is stopped."""

    def __init__(
        self,
        joining: Joining,
        settings: Callable[[], EngineSettings],
        *,
        ping_interval: float = PING_INTERVAL,
        ping_timeout: float = PING_TIMEOUT,
        dial_timeout: float = DIAL_TIMEOUT,
    ) -> None:
        super().__init__(name="link", daemon=True)
        self._joining = joining
        self._settings = settings
        self._pings = (ping_interval, ping_timeout)
        self._dial_timeout = dial_timeout
        self._backoff = Backoff(joining.clocks.random)
        self._engine_time = EngineTime(joining.clocks)
        self._registrations = 0
        """How many in a row were answered, and no certificate was shown since."""
        self._wake = threading.Event()
        self._gate = threading.RLock()
        self._stopping = False
        self._generation = 0
        self._channel: Channel | None = None
        self._doubts_certificate = False

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the thread off while settings or identity change, then dial anew by them; from any thread."""
        with self._gate:
            try:
                yield
            finally:
                self._generation += 1
                self._registrations = 0
        self._backoff.reset()
        self._wake.set()
        self._close()

    def redial(self) -> None:
        """Leave the connection, if there is one, and dial again now."""
        with self.changing():
            pass

    def hurry(self) -> None:
        """Try again now if the thread is only waiting: called when what stood in the way is gone."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread."""
        self._stopping = True
        self.redial()

    def run(self) -> None:
        """Dial and dial again."""
        while not self._stopping:
            self._wake.clear()
            wait = self._attempt()
            if not self._stopping and (wait is None or wait > 0):
                self._wake.wait(wait)

    def _attempt(self) -> float | None:
        """Have one connection; return the seconds until the next, None for as long as nothing changes."""
        with self._gate:
            generation, settings = self._generation, self._settings()
        if not settings.address:
            self._joining.board.clear()
            return None
        self._joining.board.begin(
            settings.address, token_given=bool(settings.token), proxy_given=bool(settings.proxy)
        )
        began = self._joining.clocks.monotonic()
        try:
            target = self._read_target(settings)
        except VirtnodeError as error:
            self._joining.board.fail(Step.TLS_PIN, error.message, error.hint)
            return None
        try:
            outcome = self._connect(target, generation)
        except VirtnodeError as error:
            if self._generation != generation:
                return 0
            self._note_failure(error)
        except Exception:  # the outermost loop: a bug in here must not leave the node alone for good
            logger.exception("the link failed")
            self._joining.board.fail(Step.TCP, "the link failed", "the journal says more")
        else:
            return REJECTED_WAIT if outcome is Outcome.REJECTED else self._wait_to_redial(generation)
        self._backoff.note_success(self._joining.clocks.monotonic() - began)
        return self._backoff.next_wait()

    def _wait_to_redial(self, generation: int) -> float:
        """Tell how long to wait before the certificate that was just given is shown, or asked for again."""
        if self._registrations <= 1 or self._generation != generation:
            return 0
        logger.warning("the engine's certificate was not of use %d times", self._registrations - 1)
        return self._backoff.next_wait()

    def _read_target(self, settings: EngineSettings) -> Target:
        endpoint, proxy = read_endpoint(settings.address), read_proxy(settings.proxy)
        pins = (*(read_pin(pin) for pin in settings.ca), *pins_of(self._joining.identity.trusted_pem()))
        if not pins:
            raise VirtnodeError(
                Code.INVALID,
                "no pin of the engine's authority was given, and nothing is trusted without one",
                "join again with --ca sha256:HEX, as the engine prints it",
            )
        return Target(endpoint, proxy, pins, settings.address, settings.token)

    def _connect(self, target: Target, generation: int) -> Outcome:
        credentials = self._credentials()
        self._registrations = 0 if credentials else self._registrations
        try:
            outcome = self._speak(target, credentials, generation)
        except (JoinError, Closed) as error:
            # An engine that forgot or revoked the certificate breaks off; the key may still register.
            refused = isinstance(error, Closed) or error.step in (Step.TLS_PIN, Step.APPROVAL)
            revoked = isinstance(error, Closed) and error.reason == REVOKED
            if revoked:
                self._joining.board.hear(state=NodeState.REJECTED, reason="the engine shut this node out")
            doubts = refused and (revoked or not self._was_connected())
            self._doubts_certificate = credentials is not None and doubts
            raise
        self._doubts_certificate = False
        self._registrations += credentials is None
        return outcome

    def _speak(self, target: Target, credentials: Credentials | None, generation: int) -> Outcome:
        sock = connect(target.endpoint, target.proxy, self._dial_timeout)
        self._joining.board.reach(Step.TCP)
        secured = start_tls(sock, target.endpoint.host, credentials, self._dial_timeout)
        leaf = secured.peer_certificate()
        interval, timeout = self._pings
        with open_channel(
            secured, target.endpoint, self._dial_timeout, ping_interval=interval, ping_timeout=timeout
        ) as channel:
            self._channel = channel
            session = LinkSession(
                self._joining,
                channel,
                self._engine_time,
                leaf=leaf,
                pins=target.pins,
                engine=target.address,
                token=target.token,
            )
            try:
                return session.run(
                    joined=credentials is not None, is_wanted=lambda: self._generation == generation
                )
            finally:
                self._channel = None

    def _credentials(self) -> Credentials | None:
        identity = self._joining.identity
        validity = identity.validity()
        if validity is None or self._doubts_certificate or self._engine_time.now() > validity.end:
            return None
        return Credentials(identity.certificate_file, identity.key_file)

    def _was_connected(self) -> bool:
        return self._joining.board.now.connected

    def _note_failure(self, error: VirtnodeError) -> None:
        if isinstance(error, JoinError):
            step = error.step
        elif self._was_connected():
            step = Step.HEARTBEAT
        else:
            step = Step.APPROVAL if self._joining.board.now.holds(Step.TOKEN) else Step.TLS_PIN
        logger.warning("not joined, %s: %s", step.value, error.message)
        self._joining.board.fail(step, error.message, error.hint or "it tries again by itself")

    def _close(self) -> None:
        channel = self._channel
        if channel is not None:
            channel.close()
