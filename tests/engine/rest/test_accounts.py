"""Accounts: passwords, roles, sessions and the patience with wrong passwords."""

import functools
import hashlib
import threading
from collections.abc import Callable

import pytest

from engine.accounts import (
    Account,
    Accounts,
    Role,
    SessionLimits,
    account_name,
    create_administrator,
    read_role,
)
from engine.events import Actor
from engine.passwords import ATTEMPTS, Scrypt, check_password_hash, hash_password
from engine.store import account_rows, event_rows
from engine.store.database import Store
from nodelib.errors import Code, VirtnodeError
from tests.engine.rest.engines import CHEAP, Clock

HERE, ELSEWHERE = "192.0.2.1", "198.51.100.1"
PASSWORD = "correct horse"


@pytest.fixture
def clock() -> Clock:
    """Let time stand."""
    return Clock()


@pytest.fixture
def accounts(store: Store, clock: Clock) -> Accounts:
    """Keep accounts with passwords that are cheap to check, and one operator."""
    made = Accounts(store, clock, cost=CHEAP, steady=clock)
    made.add("alice", Role.OPERATOR, PASSWORD)
    return made


def code_of(call: Callable[[], object]) -> Code:
    """Tell the code of the error that a call raises."""
    with pytest.raises(VirtnodeError) as caught:
        call()
    assert caught.value.hint
    return caught.value.code


def test_a_password_is_stored_with_its_cost() -> None:
    """What is stored says how it was made, so a later engine can make it costlier."""
    stored = hash_password(PASSWORD, CHEAP, b"salt")
    assert stored.startswith("scrypt$16$8$1$73616c74$")
    assert PASSWORD not in stored
    assert check_password_hash(PASSWORD, stored)
    assert not check_password_hash(PASSWORD + " ", stored)
    assert hash_password(PASSWORD, CHEAP, b"pepper") != stored


def test_the_cost_of_a_password_is_that_of_its_time() -> None:
    """By default a guess takes 32 MiB."""
    assert Scrypt() == Scrypt(n=1 << 15, r=8, p=1)
    assert check_password_hash("ünï \ud800", hash_password("ünï \ud800", Scrypt(), b"s" * 16))


def test_an_account_signs_in_by_name(accounts: Accounts) -> None:
    """The name may come with its domain and in capitals; another domain is another name."""
    for name in ("alice", "alice@internal", "Alice@internal"):
        assert accounts.sign_in(name, PASSWORD, HERE).role is Role.OPERATOR
    assert account_name("alice@example.com") == "alice@example.com"
    assert code_of(lambda: accounts.sign_in("alice@example.com", PASSWORD, HERE)) is Code.DENIED


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 5000, "\ud800", "' OR 1=1 --", "äpfel"])
def test_what_cannot_be_a_name_is_denied(accounts: Accounts, name: str) -> None:
    """Whatever is given as a name is refused like a wrong one, on each kind of database."""
    assert code_of(lambda: accounts.sign_in(name, PASSWORD, HERE)) is Code.DENIED
    assert code_of(lambda: accounts.remove(name)) is Code.NOT_FOUND


def test_an_unknown_name_takes_as_much_work_as_a_known_one(store: Store, clock: Clock) -> None:
    """A name that there is not is compared with a hash of the same cost."""
    accounts = Accounts(store, clock, cost=Scrypt(n=64))
    assert accounts._nobody.startswith("scrypt$64$8$1$")
    with pytest.raises(VirtnodeError) as unknown:
        accounts.sign_in("nobody", PASSWORD, HERE)
    accounts.add("alice", Role.VIEWER, PASSWORD)
    with pytest.raises(VirtnodeError) as wrong:
        accounts.sign_in("alice", "wrong password", HERE)
    assert str(unknown.value) == str(wrong.value)


def test_a_right_password_is_not_hashed_with_each_request(store: Store, clock: Clock) -> None:
    """What was right a moment ago is right, until the password is another."""
    accounts = Accounts(store, clock, cost=CHEAP, steady=clock)
    accounts.add("alice", Role.VIEWER, PASSWORD)
    accounts.sign_in("alice", PASSWORD, HERE)
    assert len(accounts._checked) == 1
    accounts.set_password("alice", "another horse")
    assert code_of(lambda: accounts.sign_in("alice", PASSWORD, HERE)) is Code.DENIED
    clock.now += 61
    accounts.sign_in("alice", "another horse", HERE)
    assert len(accounts._checked) == 1


def test_wrong_passwords_are_slowed_down(accounts: Accounts, clock: Clock) -> None:
    """Five at once, then one in 30 seconds; the same account from elsewhere is not held up."""
    for _ in range(5):
        assert code_of(lambda: accounts.sign_in("alice", "wrong", HERE)) is Code.DENIED
    assert code_of(lambda: accounts.sign_in("alice", PASSWORD, HERE)) is Code.BUSY
    assert accounts.sign_in("alice", PASSWORD, ELSEWHERE).name == "alice"
    clock.now += 30
    assert code_of(lambda: accounts.sign_in("alice", "wrong", HERE)) is Code.DENIED
    assert code_of(lambda: accounts.sign_in("alice", PASSWORD, HERE)) is Code.BUSY
    clock.now += 30
    assert accounts.sign_in("alice", PASSWORD, HERE).name == "alice"


def test_right_passwords_are_not_counted(accounts: Accounts) -> None:
    """However often somebody signs in, they are not held up."""
    for _ in range(3 * ATTEMPTS["user"].burst):
        accounts.sign_in("alice", PASSWORD, HERE)


def test_an_address_that_tries_many_names_is_slowed_down(accounts: Accounts) -> None:
    """Twenty names at once, then it waits; a neighbour in the same IPv6 network is the same address."""
    for number in range(20):
        attempt = functools.partial(accounts.sign_in, f"n{number}", "wrong", f"2001:db8::{number:x}")
        assert code_of(attempt) is Code.DENIED
    assert code_of(lambda: accounts.sign_in("alice", PASSWORD, "2001:db8::ffff")) is Code.BUSY
    assert accounts.sign_in("alice", PASSWORD, "2001:db8:1::1").name == "alice"


def test_a_flood_of_guesses_at_once_is_bounded(accounts: Accounts) -> None:
    """Guesses that come at the same time get no more tries than those that wait for one another."""
    codes: list[Code] = []
    together = threading.Barrier(20)

    def guess() -> None:
        together.wait()
        codes.append(code_of(lambda: accounts.sign_in("alice", "wrong", HERE)))

    threads = [threading.Thread(target=guess) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes.count(Code.DENIED) == 5
    assert codes.count(Code.BUSY) == 15


def test_a_session_is_stored_as_a_digest(accounts: Accounts, store: Store) -> None:
    """Who reads the database cannot use a session, and the token is long and different each time."""
    alice = accounts.sign_in("alice", PASSWORD, HERE)
    first, second = accounts.open_session(alice, HERE)[0], accounts.open_session(alice, HERE)[0]
    assert first != second
    assert len(first) >= 43
    with store.read() as connection:
        assert account_rows.find_session(connection, first) is None
    assert accounts.find_session(first) == Account(
        alice.id, "alice", Role.OPERATOR, alice.created_at, accounts.list()[0].last_login
    )


def test_a_session_ends(accounts: Accounts, clock: Clock) -> None:
    """By logging out, by idling, by age, by another password, and with its account."""
    alice = accounts.sign_in("alice", PASSWORD, HERE)

    def opened() -> str:
        token = accounts.open_session(alice, HERE)[0]
        accounts.find_session(token)
        return token

    token = opened()
    assert accounts.close_session(token)
    assert not accounts.close_session(token)
    assert code_of(lambda: accounts.find_session(token)) is Code.DENIED
    idle = opened()
    clock.now += SessionLimits().idle
    assert code_of(lambda: accounts.find_session(idle)) is Code.DENIED
    old = opened()
    while clock.now < alice.created_at + SessionLimits().idle + SessionLimits().absolute - 1000:
        clock.now += 1000
        accounts.find_session(old)
    clock.now += 1000
    assert code_of(lambda: accounts.find_session(old)) is Code.DENIED
    changed = opened()
    accounts.set_password("alice", "another horse")
    assert code_of(lambda: accounts.find_session(changed)) is Code.DENIED
    gone = opened()
    accounts.remove("alice")
    assert code_of(lambda: accounts.find_session(gone)) is Code.DENIED


def test_stale_sessions_are_forgotten(accounts: Accounts, store: Store, clock: Clock) -> None:
    """What nobody can use any more does not fill the database."""
    alice = accounts.sign_in("alice", PASSWORD, HERE)
    token = accounts.open_session(alice, HERE)[0]
    clock.now += SessionLimits().idle + 1
    accounts.open_session(alice, HERE)
    digest = hashlib.sha256(token.encode()).hexdigest()
    with store.read() as connection:
        assert account_rows.find_session(connection, digest) is None


@pytest.mark.parametrize("name", ["", "Alice", "9", "a" * 33, "a b", "a@internal", "ä", "a\n"])
def test_a_bad_name_is_refused(accounts: Accounts, name: str) -> None:
    """Names are plain, so that logs and clients have no trouble with them."""
    assert code_of(lambda: accounts.add(name, Role.VIEWER, PASSWORD)) is Code.INVALID


@pytest.mark.parametrize("password", ["", "1234567", "x" * 1025])
def test_a_bad_password_is_refused(accounts: Accounts, password: str) -> None:
    """Neither too short to hold nor too long to hash, when made and when changed."""
    assert code_of(lambda: accounts.add("bob", Role.VIEWER, password)) is Code.INVALID
    assert code_of(lambda: accounts.set_password("alice", password)) is Code.INVALID
    assert code_of(lambda: accounts.sign_in("alice", password, HERE)) is Code.DENIED


def test_accounts_are_added_once_and_found(accounts: Accounts) -> None:
    """A second account of a name is a conflict, and an unknown one is not found."""
    assert code_of(lambda: accounts.add("alice", Role.VIEWER, PASSWORD)) is Code.CONFLICT
    assert code_of(lambda: accounts.set_password("bob", PASSWORD)) is Code.NOT_FOUND
    assert code_of(lambda: accounts.remove("bob")) is Code.NOT_FOUND
    accounts.add("aaron", Role.VIEWER, PASSWORD)
    assert [(one.name, one.role) for one in accounts.list()] == [
        ("aaron", Role.VIEWER),
        ("alice", Role.OPERATOR),
    ]


def test_the_last_administrator_stays(store: Store, accounts: Accounts) -> None:
    """Nobody locks everybody out by removing one account too many."""
    create_administrator(store, "admin", PASSWORD)
    assert code_of(lambda: accounts.remove("admin")) is Code.CONFLICT
    accounts.add("other", Role.ADMINISTRATOR, PASSWORD)
    accounts.remove("admin")
    assert code_of(lambda: accounts.remove("other")) is Code.CONFLICT


def test_what_is_done_to_accounts_is_in_the_log(accounts: Accounts, store: Store) -> None:
    """The log says who added, changed and removed whom, and who signed in, but no secret."""
    boss = Actor("admin@internal")
    accounts.add("bob", Role.VIEWER, PASSWORD, boss)
    accounts.set_password("bob", "another horse", boss)
    accounts.open_session(accounts.sign_in("bob", "another horse", HERE), HERE)
    code_of(lambda: accounts.sign_in("bob", "wrong password", HERE))
    accounts.remove("bob", boss)
    with store.read() as connection:
        rows = event_rows.list_events(connection, newest_first=False)
    assert [(row.kind, row.actor) for row in rows][1:] == [
        ("account-added", "admin@internal"),
        ("password-changed", "admin@internal"),
        ("login", "bob@internal"),
        ("login-refused", "engine"),
        ("account-removed", "admin@internal"),
    ]
    assert not any("horse" in row.text for row in rows)


def test_roles_include_those_below() -> None:
    """Each role may do what the ones before it may."""
    assert Role.ADMINISTRATOR.covers(Role.METRICS)
    assert Role.VIEWER.covers(Role.VIEWER)
    assert not Role.VIEWER.covers(Role.OPERATOR)
    assert read_role("operator") is Role.OPERATOR
    assert code_of(lambda: read_role("root")) is Code.INVALID
