"""Accounts from the command line: beside a running engine and without one."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.accounts import Accounts, Role
from engine.main import main
from engine.options import ServeOptions
from engine.pki import Pki
from engine.serve import running_engine
from engine.store.database import open_store
from tests.engine.rest.threads import in_thread

FIRST, SECOND = "first password", "second password"
User = Callable[..., int]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Make an engine's folder, with one administrator."""
    Pki(tmp_path).prepare(0.0)
    store = open_store(f"sqlite:///{tmp_path / 'engine.db'}")
    Accounts(store).add("admin", Role.ADMINISTRATOR, FIRST)
    store.close()
    return tmp_path


@pytest.fixture
def user(home: Path, monkeypatch: pytest.MonkeyPatch) -> User:
    """Run `virtnode-engine user …` with a line on its standard input; tells the exit status."""

    def run(*words: str, typed: str = "") -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        return main(["user", words[0], "--home", str(home), *words[1:]])

    return run


def sign_in(home: Path, name: str, password: str) -> Role:
    """Sign in as the database has it."""
    store = open_store(f"sqlite:///{home / 'engine.db'}")
    try:
        return Accounts(store).sign_in(name, password, "192.0.2.1").role
    finally:
        store.close()


def listed(user: User, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """List accounts: roles by name."""
    capsys.readouterr()
    assert user("list", "--json") == 0
    return {one["name"]: one["role"] for one in json.loads(capsys.readouterr().out)}


def lead_a_life(home: Path, user: User, capsys: pytest.CaptureFixture[str]) -> None:
    """Add an account, change its password, list it and remove it."""
    assert user("add", "bob", "--role", "operator", typed=f"{FIRST}\n") == 0
    assert sign_in(home, "bob", FIRST) is Role.OPERATOR
    assert user("password", "bob", typed=f"{SECOND}\n") == 0
    assert sign_in(home, "bob", SECOND) is Role.OPERATOR
    assert listed(user, capsys)["bob"] == "operator"
    assert user("list") == 0
    assert "bob" in capsys.readouterr().out
    assert user("remove", "bob") == 0
    assert "bob" not in listed(user, capsys)


def test_accounts_without_an_engine(home: Path, user: User, capsys: pytest.CaptureFixture[str]) -> None:
    """The database is enough for somebody who forgot every password."""
    lead_a_life(home, user, capsys)
    assert user("password", "admin", typed=f"{SECOND}\n") == 0
    assert sign_in(home, "admin", SECOND) is Role.ADMINISTRATOR


def test_accounts_beside_a_running_engine(home: Path, user: User, capsys: pytest.CaptureFixture[str]) -> None:
    """The running engine is asked, and answers the same."""
    options = ServeOptions(home, "", "127.0.0.1", 0, 0, ("127.0.0.1",))
    with in_thread(lambda: running_engine(options, io.StringIO())):
        assert (home / "control.sock").exists()
        lead_a_life(home, user, capsys)


@pytest.mark.parametrize(
    ("words", "typed", "status", "message"),
    [
        (("add", "bob"), "short\n", 2, "8 to 1024 characters"),
        (("add", "bob"), "", 2, "8 to 1024 characters"),
        (("add", "bob", "--role", "root"), f"{FIRST}\n", 2, "'root' is no role"),
        (("add", "Not OK"), f"{FIRST}\n", 2, "is no name for an account"),
        (("add", "admin"), f"{FIRST}\n", 1, "there is an account admin already"),
        (("password", "nobody"), f"{FIRST}\n", 1, "there is no account nobody"),
        (("remove", "nobody"), "", 1, "there is no account nobody"),
        (("remove", "admin"), "", 1, "admin is the last administrator"),
    ],
)
def test_bad_input_is_one_line_and_a_hint(
    user: User,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    typed: str,
    status: int,
    message: str,
) -> None:
    """What is wrong is said, nothing is changed, and no password is repeated."""
    before = listed(user, capsys)
    assert user(*words, typed=typed) == status
    said = capsys.readouterr().err
    assert message in said
    assert "hint: " in said
    assert FIRST not in said
    assert listed(user, capsys) == before
