"""Password and lock over a real bus, with real PAM, asked by somebody who is not root."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.administrator import LOGIN_COMMAND, Tries
from nodeagent.pam_login import BARRED, BROKEN, RIGHT, WRONG
from nodelib.bus import CONFIG_APPLY, CONFIG_CONFIRM, CONFIG_SHOW
from nodelib.bus_access import ACCESS, LOCK, SET_PASSWORD, UNLOCK, PasswordRequest, UnlockRequest
from nodelib.errors import Code, InvalidInput, VirtnodeError
from nodelib.link import ApplyRequest, ConfirmRequest, Nothing, Severity
from nodelib.password_hash import check_strength, hash_password
from tests.nodeagent.buses import RunningAgent, running_agent
from tests.nodeagent.engine_double import wait_for
from tests.nodeagent.strangers import OPEN_TO_ALL, Stranger, make_login, stranger
from tests.nodeagent.test_control import control

PASSWORD = "correct horse"
PATCH = {"system": {"hostname": "other.example.org"}}
SHADOW = "root:!*::0:99999:7:::\nadmin:!*::0:99999:7:::\n"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Make a folder that another user can look into."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@pytest.fixture
def running(folder: Path) -> Iterator[RunningAgent]:
    """Run an agent whose PAM knows one password."""
    login = make_login(folder / "pam", PASSWORD)
    shadow = folder / "root/etc/shadow"
    shadow.parent.mkdir(parents=True)
    shadow.write_text(SHADOW)
    with running_agent(folder / "bus", folder / "root", policy=OPEN_TO_ALL, login=login) as agent:
        yield agent


@pytest.fixture
def anna(running: RunningAgent) -> Iterator[Stranger]:
    """Connect somebody who is not root."""
    with stranger(running.address) as connected:
        yield connected


def set_password(who: Stranger) -> None:
    """Set the password that PAM knows."""
    who.call(SET_PASSWORD, PasswordRequest(PASSWORD))


def told(running: RunningAgent) -> str:
    """Return everything that the agent wrote or says, but for what is secret by its place."""
    events = (running.agent.root / "var/lib/virtnode/events.json").read_text()
    return events + str(running.agent.configuration.show()) + str(running.statuses)


def test_without_a_password_everybody_may_and_sets_one(running: RunningAgent, anna: Stranger) -> None:
    """The first password is set by whoever is there; its connection goes on, another one is locked."""
    access = anna.call(ACCESS, Nothing())
    assert (access.password_set, access.unlocked, access.seconds_left) == (False, True, 0.0)
    set_password(anna)
    access = anna.call(ACCESS, Nothing())
    assert (access.account, access.password_set, access.unlocked) == ("admin", True, True)
    assert 0 < access.seconds_left <= access.idle_lock
    shadow = (running.agent.root / "etc/shadow").read_text()
    assert "admin:$y$" in shadow or "admin:$6$" in shadow
    with stranger(running.address) as other:
        assert not other.call(ACCESS, Nothing()).unlocked
        with pytest.raises(VirtnodeError, match="administrator's password") as caught:
            other.call(CONFIG_APPLY, ApplyRequest(PATCH))
    assert (caught.value.code, "unlock first" in caught.value.hint) == (Code.DENIED, True)


def test_a_password_unlocks_one_connection_until_it_is_locked(running: RunningAgent, anna: Stranger) -> None:
    """What it applied before it can still be confirmed; everything else needs the password again."""
    set_password(anna)
    assert not anna.call(LOCK, Nothing()).unlocked
    with pytest.raises(VirtnodeError, match="the password is wrong"):
        anna.call(UNLOCK, UnlockRequest("incorrect horse"))
    assert anna.call(UNLOCK, UnlockRequest(PASSWORD)).unlocked
    applied = anna.call(CONFIG_APPLY, ApplyRequest(PATCH))
    anna.call(LOCK, Nothing())
    with stranger(running.address) as other, pytest.raises(VirtnodeError, match="administrator's password"):
        other.call(CONFIG_CONFIRM, ConfirmRequest(applied.ticket))
    anna.call(CONFIG_CONFIRM, ConfirmRequest(applied.ticket))
    with pytest.raises(VirtnodeError, match="administrator's password"):
        anna.call(CONFIG_APPLY, ApplyRequest({"system": {"hostname": "third"}}))
    assert anna.call(CONFIG_SHOW, Nothing()).document["system"] == PATCH["system"]


def test_a_connection_that_ended_is_forgotten(running: RunningAgent, anna: Stranger) -> None:
    """Nothing of it stays in the agent."""
    set_password(anna)
    with stranger(running.address) as other:
        other.call(UNLOCK, UnlockRequest(PASSWORD))
        assert len(running.agent.guard.unlocked) == 2
    wait_for(lambda: len(running.agent.guard.unlocked) == 1)


def test_wrong_passwords_are_counted_for_all(running: RunningAgent, anna: Stranger) -> None:
    """After five of them even the right one has to wait, from whichever connection it comes."""
    set_password(anna)
    for _ in range(5):
        with pytest.raises(VirtnodeError, match="wrong"):
            anna.call(UNLOCK, UnlockRequest("guess guess"))
    with stranger(running.address) as other, pytest.raises(VirtnodeError, match="too many") as caught:
        other.call(UNLOCK, UnlockRequest(PASSWORD))
    assert caught.value.code is Code.BUSY
    refused = [one for one in running.agent.events.waiting() if one.kind == "unlock-refused"]
    assert len(refused) == 5
    assert refused[0].severity is Severity.WARNING
    assert "guess" not in told(running)


def test_virtnodectl_asks_for_the_password(running: RunningAgent, anna: Stranger) -> None:
    """With --unlock it is the first line of standard input; a wrong one ends the command."""
    set_password(anna)
    found = control(running.address, "--unlock", "access", stdin=f"{PASSWORD}\n")
    assert (found.status, "may change things" in found.out) == (0, True)
    wrong = control(running.address, "--unlock", "access", stdin="another one\n")
    assert (wrong.status, wrong.out) == (1, "")
    assert wrong.errors.startswith("virtnodectl: the password is wrong\n")


def test_a_password_goes_again_and_is_told_without_itself(running: RunningAgent, anna: Stranger) -> None:
    """Each change is an event with who did it; neither password nor hash is in anything that is shown."""
    set_password(anna)
    hashed = (running.agent.root / "etc/shadow").read_text().splitlines()[1].split(":")[1]
    anna.call(SET_PASSWORD, PasswordRequest(""))
    assert (running.agent.root / "etc/shadow").read_text() == SHADOW
    events = [one for one in running.agent.events.waiting() if one.kind == "password-changed"]
    assert [(one.before, one.after) for one in events] == [
        ("no password is set", "a password is set"),
        ("a password is set", "no password is set"),
    ]
    assert {one.actor for one in events} != {""}
    assert PASSWORD not in told(running)
    assert hashed not in told(running)
    assert anna.call(ACCESS, Nothing()).unlocked


def test_a_password_is_kept_and_restored_at_the_next_boot(running: RunningAgent, anna: Stranger) -> None:
    """The image's /etc/shadow comes back with each boot; the intent's password is put into it."""
    set_password(anna)
    shadow = running.agent.root / "etc/shadow"
    after = shadow.read_text()
    shadow.write_text(SHADOW)
    running.agent.deeds.submit(running.agent.configuration.start).result(30)
    assert shadow.read_text() == after


@pytest.mark.parametrize("password", ["short", "with\ttabulator", "x" * 300, "line\nfeed long"])
def test_a_bad_password_is_one_line(password: str) -> None:
    """It is said what is wrong, without the password."""
    with pytest.raises(InvalidInput) as caught:
        check_strength(password)
    assert len(caught.value.problems) == 1
    assert password not in caught.value.message


def test_a_hash_is_checked_by_the_system() -> None:
    """Two hashes of one password differ by their salt; crypt(3) knows both."""
    one, other = hash_password(PASSWORD), hash_password(PASSWORD)
    assert one != other
    assert one.startswith(("$y$", "$6$"))


def test_tries_pause_longer_each_time() -> None:
    """Four are free, each from the fifth on doubles the pause, and a right one begins anew."""
    now = [0.0]
    tries = Tries(lambda: now[0])
    for _ in range(4):
        tries.note_wrong()
        tries.check()
    for pause in (30, 60, 120):
        tries.note_wrong()
        with pytest.raises(VirtnodeError, match=f"wait {pause} s"):
            tries.check()
        now[0] += pause
        tries.check()
    tries.note_right()
    tries.note_wrong()
    tries.check()


def ask_pam(folder: Path, password: bytes) -> int:
    """Run the program that asks PAM; returns its status."""
    return subprocess.run([*LOGIN_COMMAND, str(folder)], input=password, check=False).returncode


def test_pam_says_right_wrong_and_barred(tmp_path: Path) -> None:
    """The real library, with services of our own; a service that has no file lets nobody in."""
    make_login(tmp_path / "pam", PASSWORD)
    assert ask_pam(tmp_path / "pam", PASSWORD.encode()) == RIGHT
    assert ask_pam(tmp_path / "pam", b"another") == WRONG
    assert ask_pam(tmp_path / "pam", b"") == WRONG
    assert ask_pam(tmp_path / "pam", PASSWORD.encode() + b"\0more") == WRONG
    make_login(tmp_path / "barred", PASSWORD, account="pam_deny")
    assert ask_pam(tmp_path / "barred", PASSWORD.encode()) == BARRED
    make_login(tmp_path / "odd", PASSWORD)
    (tmp_path / "odd/virtnode").write_text("auth required pam_absent.so\n")
    assert ask_pam(tmp_path / "odd", PASSWORD.encode()) in (WRONG, BROKEN)
    assert LOGIN_COMMAND[0] == sys.executable


@pytest.mark.integration
def test_the_shipped_service_knows_the_password_of_the_shadow_file(tmp_path: Path) -> None:
    """pam_unix, with an /etc of our own in a mount namespace, takes the hash that we make."""
    shipped = Path(__file__).parents[2] / "nodeagent/data/virtnode.pam"
    (tmp_path / "pam").mkdir()
    (tmp_path / "pam/virtnode").write_text(shipped.read_text())
    (tmp_path / "pam/other").write_text("auth required pam_deny.so\n")
    (tmp_path / "passwd").write_text("root:x:0:0::/root:/bin/sh\nadmin:x:990:990::/:/bin/sh\n")
    (tmp_path / "shadow").write_text(f"root:*:::::::\nadmin:{hash_password(PASSWORD)}::0:99999:7:::\n")
    (tmp_path / "shadow").chmod(0o600)
    mounts = 'mount --bind {0}/passwd /etc/passwd; mount --bind {0}/shadow /etc/shadow; exec "$@"'
    private = ["unshare", "--mount", "sh", "-ec", mounts.format(tmp_path), "sh", *LOGIN_COMMAND]
    statuses = [
        subprocess.run([*private, str(tmp_path / "pam")], input=word, check=False).returncode
        for word in (PASSWORD.encode(), b"another one")
    ]
    assert statuses == [RIGHT, WRONG]
