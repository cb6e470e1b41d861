"""What the command line may ask about accounts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from engine.accounts import Account, Accounts, read_role
from engine.events import Actor
from nodelib.link import Nothing, Verb


@dataclass(frozen=True)
class AddUser:
    """Ask for another account."""

    actor: str
    name: str
    role: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class OnUser:
    """Ask for something about one account; `password` is the new one where there is one."""

    actor: str
    name: str
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class UserLine:
    """An account, as it is listed."""

    id: str
    name: str
    role: str
    created_at: float
    last_login: float | None = None


@dataclass(frozen=True)
class UserLines:
    """All accounts."""

    users: tuple[UserLine, ...]


USER_ADD = Verb("user.add", AddUser, UserLine)
USER_LIST = Verb("user.list", Nothing, UserLines)
USER_PASSWORD = Verb("user.password", OnUser, Nothing)
USER_REMOVE = Verb("user.remove", OnUser, Nothing)


@dataclass(frozen=True)
class UserAdministration:
    """Answers the verbs about accounts."""

    accounts: Accounts

    def answers(self) -> dict[str, tuple[Verb[Any, Any], Callable[[Any], object]]]:
        """List who answers what, by the verb's name."""
        pairs: tuple[tuple[Verb[Any, Any], Callable[[Any], object]], ...] = (
            (USER_ADD, self.add),
            (USER_LIST, self.list),
            (USER_PASSWORD, self.set_password),
            (USER_REMOVE, self.remove),
        )
        return {verb.name: (verb, function) for verb, function in pairs}

    def add(self, request: AddUser) -> UserLine:
        """Add an account."""
        actor = Actor(request.actor)
        return _line(self.accounts.add(request.name, read_role(request.role), request.password, actor))

    def list(self, request: Nothing) -> UserLines:
        """List accounts."""
        return UserLines(tuple(map(_line, self.accounts.list())))

    def set_password(self, request: OnUser) -> Nothing:
        """Change a password; the account's sessions end."""
        self.accounts.set_password(request.name, request.password, Actor(request.actor))
        return Nothing()

    def remove(self, request: OnUser) -> Nothing:
        """Remove an account."""
        self.accounts.remove(request.name, Actor(request.actor))
        return Nothing()


def _line(account: Account) -> UserLine:
    return UserLine(account.id, account.name, account.role.value, account.created_at, account.last_login)
