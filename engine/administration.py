"""What the command line can ask for, with a running engine or without one.

Each verb is declared once, as request and reply. `Administration` answers them: inside the running engine, or
in the command's own process when there is none.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine import tokens
from engine.accounts import Accounts
from engine.archive_verbs import ArchiveAdministration
from engine.archives import Archives
from engine.backup import write_backup
from engine.events import Actor, Event, record
from engine.images import Images
from engine.node import Node
from engine.nodes import Nodes
from engine.options import load_settings, save_setting
from engine.pki import Authority, Pki
from engine.rolls import Rolls
from engine.store import certificate_rows, node_rows
from engine.store.database import Store
from engine.update_verbs import UpdateAdministration
from engine.updates import Updates
from engine.user_verbs import UserAdministration
from nodelib.codec import encode
from nodelib.errors import Code, VirtnodeError
from nodelib.facts import Facts
from nodelib.link import Nothing, Severity, Verb


@dataclass(frozen=True)
class CreateToken:
    """Ask for a join token."""

    actor: str
    uses: int
    seconds: float


@dataclass(frozen=True)
class TokenLine:
    """A join token, as it is listed; `token` is there once, when it was just made."""

    id: str
    uses: int
    used: int
    expires: float
    created_by: str
    revoked: bool = False
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class TokenLines:
    """All tokens."""

    tokens: tuple[TokenLine, ...]


@dataclass(frozen=True)
class OnNode:
    """Ask for something about one node, by code, identifier or name."""

    actor: str
    node: str
    replace: bool = False
    reason: str = ""


@dataclass(frozen=True)
class NodeLine:
    """A node, as it is listed."""

    id: str
    name: str
    state: str
    reason: str
    action: str
    since: float
    code: str
    fingerprint: str
    address: str
    connected: bool
    last_seen: float | None
    certificate_expires: float | None


@dataclass(frozen=True)
class NodeLines:
    """All nodes."""

    nodes: tuple[NodeLine, ...]


@dataclass(frozen=True)
class NodeDetail:
    """All that tells which machine a node is, and how it stands."""

    node: NodeLine
    facts: Facts
    last_error: str
    claims: str
    """The name of the node whose hardware it shows with another key; empty where there is none."""
    created_at: float
    approved_at: float | None
    approved_by: str | None


@dataclass(frozen=True)
class AuthorityLine:
    """An authority, and its part: active, next or former."""

    part: str
    pin: str
    expires: float
    nodes: int
    """Nodes whose last certificate is by it."""


@dataclass(frozen=True)
class AuthorityLines:
    """The authorities that are trusted; `told` counts the connected nodes that said so."""

    authorities: tuple[AuthorityLine, ...]
    told: int = 0


@dataclass(frozen=True)
class ChangeAuthority:
    """Ask for a step of the change of authority: stage, activate or retire."""

    actor: str
    step: str
    force: bool = False


@dataclass(frozen=True)
class WriteBackup:
    """Ask for a backup."""

    actor: str
    file: str


@dataclass(frozen=True)
class SetSetting:
    """Ask for another value of a setting."""

    actor: str
    name: str
    value: str


@dataclass(frozen=True)
class SettingLines:
    """All settings, by name."""

    settings: dict[str, str | float]


TOKEN_CREATE = Verb("token.create", CreateToken, TokenLine)
TOKEN_LIST = Verb("token.list", Nothing, TokenLines)
TOKEN_REVOKE = Verb("token.revoke", OnNode, Nothing)
NODES_LIST = Verb("nodes.list", Nothing, NodeLines)
NODES_SHOW = Verb("nodes.show", OnNode, NodeDetail)
NODES_APPROVE = Verb("nodes.approve", OnNode, NodeLine)
NODES_REJECT = Verb("nodes.reject", OnNode, NodeLine)
NODES_REMOVE = Verb("nodes.remove", OnNode, Nothing)
NODES_REVOKE = Verb("nodes.revoke", OnNode, NodeLine)
NODES_ACTIVATE = Verb("nodes.activate", OnNode, NodeLine)
NODES_DEACTIVATE = Verb("nodes.deactivate", OnNode, NodeLine)
NODES_REBOOT = Verb("nodes.reboot", OnNode, NodeLine)
CA_SHOW = Verb("ca.show", Nothing, AuthorityLines)
CA_CHANGE = Verb("ca.change", ChangeAuthority, AuthorityLines)
BACKUP = Verb("backup", WriteBackup, Nothing)
SETTINGS_SHOW = Verb("settings.show", Nothing, SettingLines)
SETTINGS_SET = Verb("settings.set", SetSetting, SettingLines)


def no_engine(node: str, actor: Actor) -> None:
    """Say that this needs connections to nodes."""
    raise VirtnodeError(Code.UNAVAILABLE, "no engine runs here, so no node is connected", "start it first")


@dataclass(frozen=True)
class Administration:
    """Answers the verbs.

    `announce` has connected nodes trust the authorities of now, and counts them; `reboot` has a node reboot;
    `updating` answers about updates where an engine runs.
    """

    home: Path
    store: Store
    pki: Pki
    nodes: Nodes
    clock: Callable[[], float]
    announce: Callable[[], int] = lambda: 0
    reboot: Callable[[str, Actor], None] = no_engine
    updating: UpdateAdministration | None = None

    def answers(self) -> dict[str, tuple[Verb[Any, Any], Callable[[Any], object]]]:
        """List who answers what, by the verb's name."""
        pairs: tuple[tuple[Verb[Any, Any], Callable[[Any], object]], ...] = (
            (TOKEN_CREATE, self.create_token),
            (TOKEN_LIST, self.list_tokens),
            (TOKEN_REVOKE, self.revoke_token),
            (NODES_LIST, lambda request: NodeLines(tuple(map(_node_line, self.nodes.list())))),
            (NODES_SHOW, self.show_node),
            (NODES_APPROVE, self.approve),
            (NODES_REJECT, self.reject),
            (NODES_REMOVE, self.remove),
            (NODES_REVOKE, self.revoke),
            (NODES_ACTIVATE, self.activate),
            (NODES_DEACTIVATE, self.deactivate),
            (NODES_REBOOT, self.reboot_node),
            (CA_SHOW, lambda request: self.show_authorities()),
            (CA_CHANGE, self.change_authority),
            (BACKUP, self.back_up),
            (SETTINGS_SHOW, lambda request: SettingLines(encode(self.nodes.settings))),
            (SETTINGS_SET, self.set_setting),
        )
        users = UserAdministration(Accounts(self.store, self.clock)).answers()
        archives = Archives(self.home, self.store, self.clock)
        about_archives = ArchiveAdministration(archives, self.nodes).answers()
        updating = (self.updating or self._updating_directly()).answers()
        return {verb.name: (verb, function) for verb, function in pairs} | users | about_archives | updating

    def create_token(self, request: CreateToken) -> TokenLine:
        """Make a join token; its text is in the answer and nowhere else."""
        made = tokens.create_token(
            self.store,
            uses=request.uses,
            seconds=request.seconds,
            actor=Actor(request.actor),
            now=self.clock(),
        )
        return TokenLine(made.id, made.uses, 0, made.expires, request.actor, token=made.token)

    def list_tokens(self, request: Nothing) -> TokenLines:
        """List tokens without their secrets."""
        return TokenLines(
            tuple(
                TokenLine(one.id, one.uses, one.used, one.expires, one.created_by, one.revoked_at is not None)
                for one in tokens.list_tokens(self.store)
            )
        )

    def revoke_token(self, request: OnNode) -> Nothing:
        """Let a token let nobody in any more."""
        tokens.revoke_token(self.store, request.node, Actor(request.actor), self.clock())
        return Nothing()

    def show_node(self, request: OnNode) -> NodeDetail:
        """Show all about one node."""
        node = self.nodes.find(request.node)
        with self.store.read() as connection:
            claimed = node_rows.find_node(connection, node.claims) if node.claims else None
        return NodeDetail(
            _node_line(node),
            node.facts,
            node.last_error,
            claimed.name if claimed else node.claims or "",
            node.created_at,
            node.approved_at,
            node.approved_by,
        )

    def approve(self, request: OnNode) -> NodeLine:
        """Let a waiting node in."""
        return _node_line(self.nodes.approve(request.node, Actor(request.actor), replace=request.replace))

    def reject(self, request: OnNode) -> NodeLine:
        """Refuse a waiting node."""
        return _node_line(self.nodes.reject(request.node, Actor(request.actor), request.reason))

    def revoke(self, request: OnNode) -> NodeLine:
        """Let a node's certificates and key be good no more."""
        return _node_line(self.nodes.revoke(request.node, Actor(request.actor)))

    def activate(self, request: OnNode) -> NodeLine:
        """End a node's maintenance."""
        return _node_line(self.nodes.activate(request.node, Actor(request.actor)))

    def deactivate(self, request: OnNode) -> NodeLine:
        """Put a node into maintenance."""
        return _node_line(self.nodes.deactivate(request.node, Actor(request.actor)))

    def reboot_node(self, request: OnNode) -> NodeLine:
        """Have a node reboot."""
        node = self.nodes.find(request.node)
        self.reboot(node.id, Actor(request.actor))
        return _node_line(self.nodes.get(node.id))

    def remove(self, request: OnNode) -> Nothing:
        """Forget a node."""
        self.nodes.remove(request.node, Actor(request.actor))
        return Nothing()

    def show_authorities(self, told: int = 0) -> AuthorityLines:
        """List the authorities that are trusted."""
        former, staged = self.pki.former(), self.pki.staged()
        parts = (("active", self.pki.active()), ("next", staged), ("former", former))
        with self.store.read() as connection:
            lines = tuple(
                AuthorityLine(
                    part,
                    one.pin,
                    one.expires,
                    certificate_rows.count_valid_certificates(connection, one.fingerprint, self.clock()),
                )
                for part, one in parts
                if one is not None
            )
        return AuthorityLines(lines, told)

    def change_authority(self, request: ChangeAuthority) -> AuthorityLines:
        """Go one step on with the change of authority."""
        if request.step == "stage":
            self.pki.stage(self.clock())
        elif request.step == "activate":
            self.pki.activate()
        elif request.step == "retire":
            self._check_retirement(self.pki.former(), force=request.force)
            self.pki.retire()
        else:
            raise VirtnodeError(Code.INVALID, f"there is no step {request.step}", "stage, activate, retire")
        with self.store.write() as connection:
            event = Event(Severity.WARNING, "ca-changed", f"certificate authority: {request.step}")
            record(connection, event, Actor(request.actor), self.clock())
        return self.show_authorities(self.announce())

    def back_up(self, request: WriteBackup) -> Nothing:
        """Write everything that this engine knows into one file."""
        write_backup(self.home, self.store, Path(request.file), self.clock())
        return Nothing()

    def set_setting(self, request: SetSetting) -> SettingLines:
        """Change one setting, at once."""
        with self.store.write() as connection:
            before = load_settings(connection)
            after = save_setting(connection, request.name, request.value)
            event = Event(
                Severity.INFO,
                "setting-changed",
                f"setting {request.name} was changed",
                before=encode(before)[request.name],
                after=encode(after)[request.name],
            )
            record(connection, event, Actor(request.actor), self.clock())
        self.nodes.apply_settings(after)
        return SettingLines(encode(after))

    def _updating_directly(self) -> UpdateAdministration:
        images = Images(self.home, self.store, self.clock)
        updates = Updates(self.store, self.nodes, images, self.clock)
        return UpdateAdministration(
            images, updates, Rolls(self.store, self.nodes, images, updates, self.clock)
        )

    def _check_retirement(self, former: Authority | None, *, force: bool) -> None:
        if former is None or force:
            return
        with self.store.read() as connection:
            left = certificate_rows.count_valid_certificates(connection, former.fingerprint, self.clock())
        if left:
            raise VirtnodeError(
                Code.CONFLICT,
                f"{left} nodes have no certificate of the new authority yet",
                "wait until they renew, or use --force: they register again by themselves",
            )


def _node_line(node: Node) -> NodeLine:
    return NodeLine(
        node.id,
        node.name,
        node.state.value,
        node.reason,
        node.action,
        node.since,
        node.code,
        node.fingerprint,
        node.address,
        node.connected,
        node.last_seen,
        node.certificate_expires,
    )
