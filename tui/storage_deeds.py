"""What can be done about storage: the iSCSI name, discovery, login and logout, a test of NFS."""

from collections.abc import Mapping, Sequence
from typing import Any

from nodelib.bus import CONFIG_PLAN, ConfigView, PlanRequest
from nodelib.bus_storage import (
    ISCSI_DISCOVER,
    ISCSI_LOGIN,
    ISCSI_LOGOUT,
    NFS_TEST,
    DiscoverRequest,
    IscsiLoginRequest,
    IscsiLogoutRequest,
    IscsiSession,
    IscsiTarget,
    NfsTestRequest,
    StorageView,
)
from nodelib.errors import InvalidInput
from tui.dialogs.choice import Choice
from tui.dialogs.editing import EditDialog
from tui.dialogue import Dialogue
from tui.texts import say
from tui.widgets.fields import SecretField, TextField
from tui.widgets.form import look_up, make_patch

INITIATOR = "storage.initiator"


async def change_initiator(dialogue: Dialogue, view: ConfigView, storage: StorageView) -> bool:
    """Let this node's iSCSI name be changed; false if the person gave up."""
    current = str(look_up(view.document, INITIATOR) or storage.initiator)

    def patch_of(values: Mapping[str, str]) -> dict[str, Any]:
        name = values[INITIATOR].strip()
        return make_patch({} if name == current else {INITIATOR: name or None})

    async def check(values: Mapping[str, str]) -> None:
        await dialogue.ask(CONFIG_PLAN, PlanRequest(patch_of(values)))

    typed: dict[str, str] | None = {INITIATOR: current}
    while typed is not None:
        field = TextField(
            INITIATOR,
            say("storage.initiator_field"),
            typed[INITIATOR],
            allowed=say("storage.initiator_allowed"),
            longest=223,
        )
        dialog = EditDialog(
            say("storage.initiator_title"),
            [field],
            check,
            text=say("storage.initiator_text"),
            save=say("storage.preview"),
            view=view,
        )
        typed = await dialogue.show(dialog)
        if typed is not None and await dialogue.apply(patch_of(typed)):
            return True
    return False


async def discover(dialogue: Dialogue) -> bool:
    """Ask a portal for its targets, and log in to the one that is chosen; false if none was."""
    found: list[IscsiTarget] = []

    async def check(values: Mapping[str, str]) -> None:
        portal = values["portal"].strip()
        if not portal:
            raise InvalidInput([f"portal: {say('storage.portal_needed')}"])
        reply = await dialogue.ask(ISCSI_DISCOVER, DiscoverRequest(portal))
        found[:] = reply.targets

    field = TextField("portal", say("storage.portal"), allowed=say("storage.portal_allowed"))
    title = say("storage.discover_title")
    typed = await dialogue.show(EditDialog(title, [field], check, save=say("storage.search")))
    if typed is None:
        return False
    portal = typed["portal"].strip()
    if not found:
        await dialogue.tell(say("storage.targets_none", portal=portal), say("storage.targets_none_hint"))
        return False
    texts = [say("storage.target_choice", name=target.name, portal=target.portal) for target in found]
    choices = [Choice(str(number), text) for number, text in enumerate(texts)]
    chosen = await dialogue.choose(say("storage.targets_title", portal=portal), choices)
    return chosen is not None and await log_in(dialogue, found[int(chosen)])


async def log_in(dialogue: Dialogue, target: IscsiTarget) -> bool:
    """Log in to a target, with CHAP where it asks for it; false if the person gave up."""

    async def check(values: Mapping[str, str]) -> None:
        user, password = values["user"].strip(), values["password"]
        if password and not user:
            raise InvalidInput([f"user: {say('storage.user_needed')}"])
        await dialogue.ask(ISCSI_LOGIN, IscsiLoginRequest(target.name, target.portal, user, password))

    fields = [
        TextField("user", say("storage.user"), allowed=say("storage.user_allowed")),
        SecretField("password", say("storage.password"), allowed=say("storage.password_allowed")),
    ]
    text = say("storage.login_text", name=target.name, portal=target.portal)
    dialog = EditDialog(say("storage.login_title"), fields, check, text=text, save=say("storage.login"))
    if await dialogue.show(dialog) is None:
        return False
    await dialogue.tell(say("storage.logged_in", name=target.name))
    return True


def session_key(session: IscsiSession) -> str:
    """Name a session: a target can be reached at several portals."""
    return f"{session.target} {session.portal}"


async def log_out(dialogue: Dialogue, sessions: Sequence[IscsiSession], marked: str) -> bool:
    """Log out of the session that is marked, or of one that is chosen; false if the person gave up."""
    by_key = {session_key(session): session for session in sessions}
    if not by_key:
        await dialogue.tell(say("storage.logout_none"))
        return False
    key: str | None = marked
    if marked not in by_key:
        texts = {
            key: say("storage.target_choice", name=session.target, portal=session.portal)
            for key, session in by_key.items()
        }
        choices = [Choice(key, text) for key, text in texts.items()]
        key = await dialogue.choose(say("storage.logout_title"), choices)
    if key is None:
        return False
    session = by_key[key]
    text = say(
        "storage.logout_text",
        target=session.target,
        portal=session.portal,
        disks=", ".join(session.disks) or say("storage.no_disk"),
    )
    if not await dialogue.confirm(say("storage.logout_question"), text, yes=say("storage.logout")):
        return False
    await dialogue.ask(ISCSI_LOGOUT, IscsiLogoutRequest(session.target, session.portal))
    return True


async def test_nfs(dialogue: Dialogue) -> None:
    """Test an export; a failure leaves the form open, for another try."""

    async def check(values: Mapping[str, str]) -> None:
        server, path, options = (values[name].strip() for name in ("server", "path", "options"))
        problems = []
        if not server:
            problems.append(f"server: {say('storage.server_needed')}")
        if not path.startswith("/"):
            problems.append(f"path: {say('storage.path_needed')}")
        if problems:
            raise InvalidInput(problems)
        reply = await dialogue.ask(NFS_TEST, NfsTestRequest(server, path, options))
        title = say("storage.test_ok" if reply.ok else "storage.test_failed")
        await dialogue.tell(reply.text, reply.hint, title=title)
        if not reply.ok:
            raise InvalidInput([reply.text], reply.hint)

    fields = [
        TextField(name, say(f"storage.{name}"), allowed=say(f"storage.{name}_allowed"))
        for name in ("server", "path", "options")
    ]
    text = say("storage.nfs_text")
    await dialogue.show(
        EditDialog(say("storage.nfs_title"), fields, check, text=text, save=say("storage.nfs_run"))
    )
