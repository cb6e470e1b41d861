"""The security screen: the administrator's password, the lock, SSH and its keys."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import OptionList

from nodelib.bus import CONFIG_SHOW, ENGINE_ORIGIN
from nodelib.bus_access import ACCESS, FETCH_KEYS, LOCK, SET_PASSWORD, KeysRequest, PasswordRequest
from nodelib.errors import Code, InvalidInput, VirtnodeError
from nodelib.link import Nothing
from tui.dialogs.entry import EntryDialog
from tui.dialogs.new_password import NewPasswordDialog
from tui.dialogs.pick_keys import PickKeysDialog
from tui.dialogue import Dialogue
from tui.page import Page, deed
from tui.seen import Seen
from tui.ssh_key import parse_key
from tui.texts import say
from tui.widgets.fields import ChoiceField, Field, TextField
from tui.widgets.form import make_patch
from tui.widgets.key_list import KeyList, describe_key
from tui.widgets.line import Line
from tui.widgets.pair import Pair
from tui.widgets.press import Press
from tui.widgets.settings_form import SettingsForm

SSH = ("on", "off", "automatic", "image")
LONGEST_IDLE = 86400


class SecurityPage(Page):
    """Who may change this node, and who may log in."""

    KEY = "security"
    SETTINGS = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "password", "security.password_change"),
        Binding("l", "lock", "security.lock"),
        Binding("a", "add_key", "security.key_add"),
        Binding("u", "fetch", "security.fetch", show=False),
    ]
    DEEDS = (
        ("remove_password", "find.remove_password"),
        ("edit('access.ssh')", "security.ssh"),
        ("edit('access.idle_lock')", "security.lock_after"),
        ("save", "find.save_security"),
        ("edit('keys')", "security.keys"),
    )
    DEFAULT_CSS = """
    SecurityPage .row { height: 1; margin-bottom: 1; }
    SecurityPage Pair .name { width: 18; }
    SecurityPage .under { margin-left: 18; }
    """

    def __init__(self, dialogue: Dialogue) -> None:
        super().__init__(dialogue)
        self._password_managed = False
        self._keys_managed = False

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Pair(say("security.password"), id="password")
        yield Line(say("field.managed"), id="password-managed", classes="hint under")
        with Horizontal(classes="row"):
            yield Press(say("security.password_change"), "password", id="set-password")
            yield Press(say("security.password_remove"), "remove", id="remove-password")
            yield Press(say("security.lock"), "lock", id="lock")
        yield SettingsForm(
            ChoiceField(
                "access.ssh", say("security.ssh"), [(word, say(f"security.ssh.{word}")) for word in SSH]
            ),
            Line(id="ssh-means", classes="hint"),
            TextField(
                "access.idle_lock",
                say("security.lock_after"),
                allowed=say("security.lock_allowed"),
                longest=5,
            ),
        )
        with Horizontal(classes="row"):
            yield Press(say("security.save"), "save")
        yield Line(say("security.keys"), classes="heading")
        yield Line(id="keys-note", classes="hint")
        yield KeyList(id="keys")
        with Horizontal(classes="row"):
            yield Press(say("security.key_add"), "add", id="add-key")
            yield Press(say("security.fetch"), "fetch", id="fetch-keys")
        yield Line(say("security.host_keys"), classes="heading")
        yield Line(say("security.host_keys_hint"), classes="hint")
        yield Line(id="host-keys")

    def see(self, seen: Seen) -> None:
        """Show password, SSH and host keys as they are."""
        access = seen.access
        text = say("security.password_set" if access.password_set else "security.password_unset")
        self.query_one("#password", Pair).show(text)
        self.query_one("#remove-password").display = access.password_set
        self.query_one("#lock").display = access.password_set and access.unlocked
        lines = [line.replace(" ", "\n  ", 1) for line in access.host_keys]
        self.query_one("#host-keys", Line).show("\n".join(lines) or say("security.host_keys_none"))
        self._explain_ssh()

    async def load(self) -> None:
        """Show the settings and the keys."""
        access = await self.ask(ACCESS, Nothing())
        view = await self.ask(CONFIG_SHOW, Nothing())
        form = self.query_one(SettingsForm)
        form.manage(view)
        form.fill({"access.ssh": access.ssh, "access.idle_lock": str(access.idle_lock)})
        self._explain_ssh()
        managed = view.origins.get("access.password") == ENGINE_ORIGIN
        self.query_one("#password-managed").display = managed
        for name in ("#set-password", "#remove-password"):
            self.query_one(name).disabled = managed
        self._password_managed = managed
        managed = view.origins.get("access.ssh_keys") == ENGINE_ORIGIN
        self.query_one(KeyList).fill(access.ssh_keys)
        self.query_one(KeyList).display = bool(access.ssh_keys)
        key = "keys_managed" if managed else "keys_hint" if access.ssh_keys else "keys_none"
        self.query_one("#keys-note", Line).show(say(f"security.{key}"))
        self.query_one("#add-key").disabled = self.query_one("#fetch-keys").disabled = managed
        self._keys_managed = managed

    def on_field_changed(self, event: Field.Changed) -> None:
        """Say what the chosen word means."""
        self._explain_ssh()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Remove a key."""
        self.do(self._remove_key(self.query_one(KeyList).lines[event.option_index]))

    def on_press_pressed(self, event: Press.Pressed) -> None:
        """Do what a button says."""
        deeds = {
            "password": self.action_password,
            "remove": self.action_remove_password,
            "lock": self.action_lock,
            "save": self.action_save,
            "add": self.action_add_key,
            "fetch": self.action_fetch,
        }
        deeds[event.name]()

    @deed
    async def action_password(self) -> None:
        """Set a password, the first or another."""
        if self._password_managed:
            raise managed_error()
        problem = ""
        while True:
            dialog = NewPasswordDialog(self.seen.access.account, problem)
            password = await self.dialogue.show(dialog)
            if password is None:
                return
            try:
                await self.ask(SET_PASSWORD, PasswordRequest(password))
                break
            except VirtnodeError as error:
                if error.code is not Code.INVALID:
                    raise
                problem = error.message
        await self.dialogue.refresh()
        await self.dialogue.tell(say("security.password_done"))

    @deed
    async def action_remove_password(self) -> None:
        """Take the password away."""
        yes = say("security.password_remove")
        text = say("security.remove_text")
        if await self.dialogue.confirm(say("security.remove_question"), text, yes=yes):
            await self.ask(SET_PASSWORD, PasswordRequest(""))
            await self.dialogue.refresh()
            await self.dialogue.tell(say("security.remove_done"))

    @deed
    async def action_lock(self) -> None:
        """Lock this console, if there is a password to open it again."""
        if not self.seen.access.password_set:
            await self.dialogue.tell(say("security.lock_none"))
            return
        await self.ask(LOCK, Nothing())
        await self.dialogue.refresh()
        await self.dialogue.tell(say("security.locked"))

    @deed
    async def action_save(self) -> None:
        """Apply what was changed about SSH and the lock."""
        if await self.query_one(SettingsForm).save(self.dialogue, read_setting):
            await self.load()

    @deed
    async def action_add_key(self) -> None:
        """Let a key log in that is typed or pasted."""
        if self._keys_managed:
            raise managed_error()
        there = self.query_one(KeyList).lines
        dialog = EntryDialog(
            say("security.key_add"),
            say("security.key_field"),
            allowed=say("security.key_allowed"),
            judge=lambda line: judge_key(line, there),
        )
        line = await self.dialogue.show(dialog)
        if line is None:
            return
        text = f"{describe_key(parse_key(line), line)}\n{say('security.key_compare')}"
        yes = say("security.key_let")
        if await self.dialogue.confirm(say("security.key_question"), text, yes=yes):
            await self._apply_keys((*there, line))

    @deed
    async def action_fetch(self) -> None:
        """Let keys log in that a web server has."""
        if self._keys_managed:
            raise managed_error()
        dialog = EntryDialog(
            say("security.fetch_title"),
            say("security.fetch_field"),
            allowed=say("security.fetch_allowed"),
            judge=lambda url: "" if url.startswith("https://") else say("security.fetch_wrong"),
        )
        url = await self.dialogue.show(dialog)
        if url is None:
            return
        found = await self.ask(FETCH_KEYS, KeysRequest(url))
        there = self.query_one(KeyList).lines
        fresh = tuple(line for line in dict.fromkeys(found.keys) if not is_there(line, there))
        if not fresh:
            await self.dialogue.tell(say("security.fetch_nothing_new"))
            return
        picked = await self.dialogue.show(PickKeysDialog(fresh))
        if picked:
            await self._apply_keys((*there, *picked))

    async def _remove_key(self, line: str) -> None:
        if self._keys_managed:
            raise managed_error()
        left = tuple(key for key in self.query_one(KeyList).lines if key != line)
        text = describe_key(parse_key(line), line)
        if not left:
            text = f"{text}\n{say('security.key_last')}"
        yes = say("security.key_remove")
        if await self.dialogue.confirm(say("security.key_remove_question"), text, yes=yes):
            await self._apply_keys(left)

    async def _apply_keys(self, lines: tuple[str, ...]) -> None:
        if await self.dialogue.apply(make_patch({"access.ssh_keys": list(lines)})):
            await self.load()

    def _explain_ssh(self) -> None:
        """Say what the chosen word means, and whether SSH runs."""
        chosen = self.query_one(SettingsForm).fields["access.ssh"].value
        means = say(f"security.ssh_means.{chosen}") if chosen in SSH else ""
        runs = say("security.ssh_runs" if self.seen.access.ssh_running else "security.ssh_stopped")
        self.query_one("#ssh-means", Line).show(f"{means} {runs}".strip())


def read_setting(key: str, text: str) -> object:
    """Make a setting's value of what was typed."""
    if key != "access.idle_lock":
        return text
    if not text.strip().isdecimal() or int(text) > LONGEST_IDLE:
        raise InvalidInput([f"{key}: {say('security.lock_wrong')}"])
    return int(text)


def judge_key(line: str, there: tuple[str, ...]) -> str:
    """Say what is wrong with a key that was typed."""
    if "PRIVATE KEY" in line:
        return say("security.key_private")
    if parse_key(line) is None:
        return say("security.key_wrong")
    return say("security.key_there") if is_there(line, there) else ""


def is_there(line: str, there: tuple[str, ...]) -> bool:
    """Tell whether a key is among some, whatever its comment says."""
    key = parse_key(line)
    known = {parsed.fingerprint for parsed in map(parse_key, there) if parsed is not None}
    return line in there or (key is not None and key.fingerprint in known)


def managed_error() -> VirtnodeError:
    """Make the error of a change that only the engine may make."""
    return VirtnodeError(Code.CONFLICT, say("security.managed"), say("security.managed_hint"))
