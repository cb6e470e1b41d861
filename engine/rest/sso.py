"""Sessions as oVirt's single sign-on gives them: a token for a name and a password."""

import anyio.to_thread

from engine.rest.endpoint import Call, Plain
from engine.rest.faults import STATUSES, describe
from engine.rest.root import json_answer
from nodelib.errors import Code, VirtnodeError

SCOPE = "ovirt-app-api"
GRANT = "password"
_ERRORS = {Code.DENIED: ("access_denied", 400), Code.INVALID: ("invalid_request", 400)}
"""OAuth's words; RFC 6749 wants 400 for a wrong password."""


async def open_session(call: Call) -> Plain:
    """Exchange a name and a password for a session's token."""
    try:
        return await _open_session(call)
    except VirtnodeError as error:
        word, status = _ERRORS.get(error.code, ("server_error", STATUSES[error.code]))
        return json_answer({"error_code": word, "error": describe(error)}, status)


async def close_session(call: Call) -> Plain:
    """End a session; a token that is worthless already is no mistake."""
    token = call.form.get("token", "")
    await anyio.to_thread.run_sync(call.services.accounts.close_session, token)
    return json_answer({})


async def _open_session(call: Call) -> Plain:
    form = call.form
    if form.get("grant_type") != GRANT:
        raise VirtnodeError(
            Code.INVALID, "sessions are given for a password alone", f"send grant_type={GRANT}"
        )
    if missing := [name for name in ("username", "password") if not form.get(name)]:
        raise VirtnodeError(Code.INVALID, f"{' and '.join(missing)} missing", "send them as a form")
    accounts = call.services.accounts
    account = await call.services.doorkeeper.sign_in(form["username"], form["password"], call.address)
    token, expires = await anyio.to_thread.run_sync(accounts.open_session, account, call.address)
    return json_answer(
        {
            "access_token": token,
            "scope": form.get("scope", SCOPE),
            "exp": str(round(expires * 1000)),
            "token_type": "bearer",
        }
    )
