"""What the command line can ask for about images, updates and rolls."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.events import Actor
from engine.images import Image, Images
from engine.rolls import Roll, Rolls, RollWish
from engine.updates import Updatable, Updates, UpdateWish
from nodelib.bus_update import PackageChange
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Nothing, Verb


@dataclass(frozen=True)
class OnImage:
    """Ask for something about one image: the file to add, or a version or digest."""

    actor: str
    image: str


@dataclass(frozen=True)
class ImageLine:
    """An image, as it is listed."""

    digest: str
    version: str
    build_id: str
    system: str
    architecture: str
    size_bytes: int
    made: float
    signers: tuple[str, ...]
    here: bool
    """Its bundle is in the engine's folder."""


@dataclass(frozen=True)
class ImageLines:
    """All images, the newest first."""

    images: tuple[ImageLine, ...]


@dataclass(frozen=True)
class OnUpdate:
    """Ask for an update of a node, or of all nodes of a cluster: to an image, or the newest without one."""

    actor: str
    target: str
    image: str = ""
    stop_guests: bool = False


@dataclass(frozen=True)
class UpdateLine:
    """What a node runs, what it could run, and how its newest update stands."""

    node: str
    state: str
    reason: str
    action: str
    installed: str
    build_id: str
    available: str = ""
    available_build: str = ""
    packages: tuple[PackageChange, ...] = ()
    update: str = ""
    """The phase of the newest update; empty without one."""
    version: str = ""
    started: float = 0.0


@dataclass(frozen=True)
class TurnLine:
    """How a roll stands with one node."""

    node: str
    state: str
    reason: str


@dataclass(frozen=True)
class RollLine:
    """A roll, as it is shown; without a state there was none."""

    cluster: str
    state: str = ""
    reason: str = ""
    version: str = ""
    build_id: str = ""
    percent: int = 0
    started: float = 0.0
    nodes: tuple[TurnLine, ...] = ()


IMAGE_ADD = Verb("image.add", OnImage, ImageLine)
IMAGE_LIST = Verb("image.list", Nothing, ImageLines)
IMAGE_REMOVE = Verb("image.remove", OnImage, Nothing)
NODES_UPGRADE = Verb("nodes.upgrade", OnUpdate, UpdateLine)
NODES_UPDATES = Verb("nodes.updates", OnUpdate, UpdateLine)
ROLL_START = Verb("roll.start", OnUpdate, RollLine)
ROLL_STATUS = Verb("roll.status", OnUpdate, RollLine)
ROLL_STOP = Verb("roll.stop", OnUpdate, RollLine)


def no_engine() -> None:
    """Say that this needs connections to nodes."""
    raise VirtnodeError(Code.UNAVAILABLE, "no engine runs here, so no node is connected", "start it first")


@dataclass(frozen=True)
class UpdateAdministration:
    """Answers the verbs; `need_engine` raises where none runs, `compare` asks a node for its packages."""

    images: Images
    updates: Updates
    rolls: Rolls
    need_engine: Callable[[], None] = no_engine
    compare: Callable[[Updatable], tuple[PackageChange, ...]] = lambda found: ()

    def answers(self) -> dict[str, tuple[Verb[Any, Any], Callable[[Any], object]]]:
        """List who answers what, by the verb's name."""
        pairs: tuple[tuple[Verb[Any, Any], Callable[[Any], object]], ...] = (
            (IMAGE_ADD, self.add_image),
            (IMAGE_LIST, lambda request: ImageLines(tuple(map(_image_line, self.images.list())))),
            (IMAGE_REMOVE, self.remove_image),
            (NODES_UPGRADE, self.upgrade),
            (NODES_UPDATES, self.show_updates),
            (ROLL_START, self.start_roll),
            (ROLL_STATUS, self.show_roll),
            (ROLL_STOP, lambda request: _roll_line(self.rolls.stop(request.target, Actor(request.actor)))),
        )
        return {verb.name: (verb, function) for verb, function in pairs}

    def add_image(self, request: OnImage) -> ImageLine:
        """Take a bundle in."""
        return _image_line(self.images.add(Path(request.image), Actor(request.actor)))

    def remove_image(self, request: OnImage) -> Nothing:
        """Remove an image."""
        self.images.remove(request.image, Actor(request.actor))
        return Nothing()

    def upgrade(self, request: OnUpdate) -> UpdateLine:
        """Begin the update of a node."""
        self.need_engine()
        wish = UpdateWish(request.image, request.stop_guests)
        node = self.updates.begin(request.target, wish, Actor(request.actor))
        return _update_line(self.updates.look(node.id, request.image))

    def show_updates(self, request: OnUpdate) -> UpdateLine:
        """Tell what a node runs, what it could run, and which packages would change."""
        found = self.updates.look(request.target, request.image)
        return _update_line(found, self.compare(found))

    def start_roll(self, request: OnUpdate) -> RollLine:
        """Begin to update a cluster."""
        self.need_engine()
        wish = RollWish(request.image, request.stop_guests)
        return _roll_line(self.rolls.start(request.target, wish, Actor(request.actor)))

    def show_roll(self, request: OnUpdate) -> RollLine:
        """Show the latest roll of a cluster."""
        found = self.rolls.latest(request.target)
        return RollLine(request.target) if found is None else _roll_line(found)


def _image_line(image: Image) -> ImageLine:
    row = image.row
    return ImageLine(
        row.digest,
        row.version,
        row.build_id,
        row.system,
        row.architecture,
        row.size_bytes,
        row.made,
        tuple(row.signers.split()),
        image.here,
    )


def _update_line(found: Updatable, packages: tuple[PackageChange, ...] = ()) -> UpdateLine:
    node, image, update = found.node, found.image, found.update
    return UpdateLine(
        node.name,
        node.state.value,
        node.reason,
        node.action,
        node.facts.product,
        node.facts.build_id,
        image.version if image else "",
        image.build_id if image else "",
        packages,
        update.phase if update else "",
        update.version if update else "",
        update.started if update else 0.0,
    )


def _roll_line(roll: Roll) -> RollLine:
    return RollLine(
        roll.cluster,
        roll.row.state,
        roll.row.reason,
        roll.row.version,
        roll.row.build_id,
        roll.percent,
        roll.row.started,
        tuple(TurnLine(turn.name, turn.state, turn.reason) for turn in roll.nodes),
    )
