"""Accounts as oVirt's users."""

import anyio.to_thread

from engine.accounts import DOMAIN, Account
from engine.rest.endpoint import API_PATH, Call
from engine.rest.resources import USER
from engine.rest.search import parse_search
from engine.rest.shapes import Document, Value
from nodelib.errors import Code, VirtnodeError


async def list_users(call: Call) -> Value:
    """List the accounts that a search finds."""
    sensitive = call.flag("case_sensitive", default=True)
    search = parse_search(call.text("search"), USER.search, case_sensitive=sensitive)
    accounts = await anyio.to_thread.run_sync(call.services.accounts.list)
    return search.select([user_document(one) for one in accounts], call.number("max"))


async def get_user(call: Call) -> Value:
    """Show an account."""
    for account in await anyio.to_thread.run_sync(call.services.accounts.list):
        if account.id == call.path["id"]:
            return user_document(account)
    raise VirtnodeError(
        Code.NOT_FOUND, f"there is no user {call.path['id'][:60]}", "virtnode-engine user list shows them"
    )


def user_document(account: Account) -> Document:
    """Describe an account."""
    return {
        **user_reference(account),
        "name": account.name,
        "principal": account.name,
        "namespace": "*",
        "domain": {"name": DOMAIN},
        "roles": [{"id": account.role.value, "name": account.role.value}],
    }


def user_reference(account: Account) -> Document:
    """Point to an account."""
    return {
        "id": account.id,
        "href": f"{API_PATH}/users/{account.id}",
        "user_name": account.principal,
    }
