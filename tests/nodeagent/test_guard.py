"""Who may change the node: time, connections, and the countdown that a lock must not end."""

from dataclasses import dataclass, field

import pytest

from nodeagent.guard import Caller, Guard, Permission, Rules
from nodelib.errors import Code, VirtnodeError

ROOT = Caller(":1.1", 0, "root")
ANNA = Caller(":1.2", 1000, "anna")
BERT = Caller(":1.3", 1000, "anna")
UNKNOWN = Caller(":1.4", None, "somebody")


WITH_PASSWORD = Rules(password_set=True, idle_lock=300)


@dataclass
class World:
    """A clock, and what the node says."""

    now: float = 0.0
    rules: Rules = WITH_PASSWORD
    guard: Guard = field(init=False)

    def __post_init__(self) -> None:
        self.guard = Guard(lambda: self.now, lambda: self.rules)

    def may(self, caller: Caller, method: str = "ConfigApply", ticket: str = "") -> bool:
        """Tell whether a call passes."""
        try:
            self.guard.check(method, caller, ticket)
        except VirtnodeError as error:
            return error.code is not Code.DENIED
        return True


@pytest.fixture
def world() -> World:
    """Begin with a password that is set."""
    return World()


def test_root_may_and_others_need_the_password(world: World) -> None:
    """Who the bus does not know is nobody; what changes nothing is open to all."""
    assert [world.may(caller) for caller in (ROOT, ANNA, UNKNOWN)] == [True, False, False]
    assert all(world.may(caller, "Status") for caller in (ROOT, ANNA, UNKNOWN))
    world.rules = Rules(password_set=False, idle_lock=300)
    assert [world.may(caller) for caller in (ROOT, ANNA, UNKNOWN)] == [True, True, True]
    assert world.guard.permission(ANNA) == Permission(True)


def test_a_connection_is_unlocked_and_no_other_of_the_same_user(world: World) -> None:
    """It is the connection that counts; one that left the bus is forgotten."""
    world.guard.unlock(ANNA.connection)
    assert (world.may(ANNA), world.may(BERT)) == (True, False)
    world.guard.forget(ANNA.connection)
    assert not world.may(ANNA)
    world.guard.unlock(ANNA.connection)
    world.guard.lock(ANNA.connection)
    assert not world.may(ANNA)


def test_a_connection_locks_itself_unless_it_changes_something(world: World) -> None:
    """Each change that is allowed begins the time anew; looking does not."""
    world.guard.unlock(ANNA.connection)
    world.now = 200.0
    assert world.guard.permission(ANNA) == Permission(True, 100.0)
    assert world.may(ANNA)
    world.now = 499.0
    assert world.may(ANNA, "Status")
    assert world.guard.permission(ANNA) == Permission(True, 1.0)
    world.now = 500.0
    assert world.guard.permission(ANNA) == Permission(False)
    assert not world.may(ANNA)
    world.rules = Rules(password_set=True, idle_lock=0)
    assert not world.may(ANNA)
    world.guard.unlock(ANNA.connection)
    world.now = 1e9
    assert world.guard.permission(ANNA) == Permission(True)


def test_a_lock_does_not_lose_a_countdown(world: World) -> None:
    """Whoever applied a change may keep it or put it back, and no change of anybody else."""
    world.guard.unlock(ANNA.connection)
    world.guard.note_applied(ANNA.connection, "ticket")
    world.guard.lock_all()
    world.rules = Rules(password_set=True, idle_lock=300, pending="ticket")
    assert world.may(ANNA, "ConfigConfirm", "ticket")
    assert world.may(ANNA, "ConfigRevert")
    assert not world.may(ANNA, "ConfigConfirm", "another")
    assert not world.may(ANNA, "ConfigApply", "ticket")
    assert not world.may(BERT, "ConfigConfirm", "ticket")
    world.rules = Rules(password_set=True, idle_lock=300, pending="another")
    assert not world.may(ANNA, "ConfigRevert")
    world.guard.forget(ANNA.connection)
    assert not world.may(ANNA, "ConfigConfirm", "ticket")
