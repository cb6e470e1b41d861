"""Who is asking: a session's token, or a name and a password with each request."""

import base64
import binascii

import anyio
import anyio.to_thread
from starlette.requests import Request

from engine.accounts import Account, Accounts, Role
from engine.rest.faults import Refusal, describe, unauthenticated
from nodelib.errors import Code, VirtnodeError

LONGEST_HEADER = 8192
MOST_WAITING = 100
"""How many passwords wait to be checked; more would only wait too long."""


class Doorkeeper:
    """Checks credentials; passwords two at a time, because each takes a while and 32 MiB."""

    def __init__(self, accounts: Accounts, *, most_waiting: int = MOST_WAITING) -> None:
        self._accounts = accounts
        self._most_waiting = most_waiting
        self._passwords = anyio.CapacityLimiter(2)

    async def identify(self, request: Request, address: str) -> Account:
        """Find whose credentials came with a request. Raises Refusal (401)."""
        scheme, _, value = request.headers.get("authorization", "")[:LONGEST_HEADER].partition(" ")
        try:
            if scheme.lower() == "bearer":
                return await anyio.to_thread.run_sync(self._accounts.find_session, value.strip())
            if scheme.lower() == "basic":
                return await self.sign_in(*_split_basic(value.strip()), address)
        except VirtnodeError as error:
            if error.code is Code.DENIED:
                raise unauthenticated(describe(error)) from error
            raise
        raise unauthenticated("credentials are missing: send a name and a password, or a session's token")

    async def sign_in(self, name: str, password: str, address: str) -> Account:
        """Check a name and a password. Raises VirtnodeError as `sign_in` does, and (busy) in a crowd."""
        if self._passwords.statistics().tasks_waiting >= self._most_waiting:
            raise VirtnodeError(Code.BUSY, "too many are logging in at once", "try again in a moment")
        return await anyio.to_thread.run_sync(
            self._accounts.sign_in, name, password, address, limiter=self._passwords
        )


def check_role(account: Account, needed: Role) -> None:
    """Refuse who may not. Raises Refusal (403)."""
    if not account.role.covers(needed):
        raise Refusal(
            403,
            Code.DENIED.value,
            f"{account.name} is a {account.role}, and this takes the role {needed}: ask an administrator",
        )


def _split_basic(value: str) -> tuple[str, str]:
    try:
        name, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise unauthenticated("the credentials are not written as Basic authentication needs") from error
    if not colon:
        raise unauthenticated("the credentials have no password")
    return name, password
