"""The administrator: the password, the lock of each connection, and what is known of SSH."""

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from nodeagent.configuration import Configuration
from nodeagent.events import EventQueue
from nodeagent.facts.sources import Command
from nodeagent.guard import Caller, Guard, Rules
from nodeagent.host_keys import read_fingerprints
from nodeagent.pam_login import BARRED, RIGHT, WRONG
from nodeagent.settings.password import ACCOUNT, has_password
from nodeagent.settings.ssh import server_unit
from nodeagent.tree_files import TreeFiles
from nodelib.bus_access import Access, PasswordRequest, UnlockRequest
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Severity
from nodelib.password_hash import check_strength, hash_password
from nodelib.run import run

logger = logging.getLogger(__name__)

LOGIN = Path(__file__).with_name("pam_login.py")
LOGIN_COMMAND: Sequence[str] = (sys.executable, "-I", str(LOGIN), ACCOUNT)
LOGIN_TIMEOUT = 15.0
FREE_TRIES = 5
"""Wrong passwords in a row before the first pause."""
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 3600.0


class Tries:
    """Counts wrong passwords in a row, and says when the next may be tried."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wrong = 0
        self._closed_until = 0.0

    def check(self) -> None:
        """Raise VirtnodeError (busy) during a pause."""
        left = self._closed_until - self._clock()
        if left > 0:
            raise VirtnodeError(
                Code.BUSY, f"too many wrong passwords; wait {left:.0f} s", "root may change the password"
            )

    def note_wrong(self) -> None:
        """Count one more."""
        self._wrong += 1
        if self._wrong >= FREE_TRIES:
            pause = FIRST_PAUSE * 2 ** min(self._wrong - FREE_TRIES, 16)
            self._closed_until = self._clock() + min(pause, LONGEST_PAUSE)

    def note_right(self) -> None:
        """Begin anew."""
        self._wrong = 0


class Administrator:
    """Answers what the bus asks about access; every method may be called from every thread."""

    def __init__(
        self,
        root: Path,
        configuration: Configuration,
        events: EventQueue,
        clock: Callable[[], float],
        command: Command,
        login: Sequence[str] = LOGIN_COMMAND,
    ) -> None:
        self._root = root
        self._tree = TreeFiles(root)
        self._configuration = configuration
        self._events = events
        self._command = command
        self._login = login
        self._tries = Tries(clock)
        self._one_login = threading.Lock()
        self.guard = Guard(clock, self.rules)
        """Who may change the node."""

    def rules(self) -> Rules:
        """Tell what the node says about access now."""
        pending = self._configuration.pending()
        return Rules(
            self._is_password_set(),
            float(self._configuration.intent.access.idle_lock),
            pending.ticket if pending else "",
        )

    def access(self, caller: Caller) -> Access:
        """Tell how access stands, and how the caller does."""
        intent = self._configuration.intent.access
        permission = self.guard.permission(caller)
        return Access(
            account=ACCOUNT,
            password_set=self._is_password_set(),
            unlocked=permission.unlocked,
            seconds_left=permission.seconds_left,
            idle_lock=intent.idle_lock,
            ssh=intent.ssh,
            ssh_running=self._is_ssh_running(),
            ssh_keys=intent.ssh_keys,
            host_keys=read_fingerprints(self._root),
        )

    def unlock(self, request: UnlockRequest, caller: Caller) -> Access:
        """Let the caller change things, for the right password; raises VirtnodeError: denied or busy."""
        if self._is_password_set():
            # One at a time: whoever tries many at once must not get more tries than the count allows.
            with self._one_login:
                self._tries.check()
                self._check_password(request.password, caller)
                self._tries.note_right()
            self.guard.unlock(caller.connection)
            self._events.add(kind="unlocked", text=f"{caller.name} unlocked the console", actor=caller.name)
        return self.access(caller)

    def lock(self, caller: Caller) -> Access:
        """Lock the caller's connection."""
        self.guard.lock(caller.connection)
        return self.access(caller)

    def set_password(self, request: PasswordRequest, caller: Caller) -> None:
        """Give the account another password at once, or none; all connections but the caller's are locked."""
        before = self._is_password_set()
        if request.password:
            check_strength(request.password)
        new = hash_password(request.password) if request.password else None
        self._configuration.apply_at_once({"access": {"password": new}}, caller.name)
        self.guard.lock_all()
        self.guard.unlock(caller.connection)
        after = self._is_password_set()
        words = {True: "a password is set", False: "no password is set"}
        self._events.add(
            kind="password-changed",
            text=f"the password of {ACCOUNT} was {'changed' if request.password else 'taken away'}",
            actor=caller.name,
            before=words[before],
            after=words[after],
        )

    def _is_password_set(self) -> bool:
        return bool(self._configuration.intent.access.password) or has_password(self._tree)

    def _check_password(self, password: str, caller: Caller) -> None:
        done = run(self._login, stdin=password, check=False, timeout=LOGIN_TIMEOUT)
        if done.status == RIGHT:
            return
        if done.status == WRONG:
            self._tries.note_wrong()
            self._events.add(
                kind="unlock-refused",
                text=f"{caller.name} gave a wrong password for {ACCOUNT}",
                actor=caller.name,
                severity=Severity.WARNING,
            )
            raise VirtnodeError(Code.DENIED, "the password is wrong", f"it is that of the account {ACCOUNT}")
        if done.status == BARRED:
            raise VirtnodeError(
                Code.DENIED, f"the account {ACCOUNT} may not log in", "root may look at: chage -l admin"
            )
        raise VirtnodeError(
            Code.FAILED,
            f"PAM does not work: {done.stderr.strip() or 'it said nothing'}",
            "root may change the node without a password",
        )

    def _is_ssh_running(self) -> bool:
        server = server_unit(self._tree)
        return bool(server) and self._command(("systemctl", "is-active", server)).strip() == "active"
