"""What the command line can ask for about nodes' support archives."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.archives import Archives
from engine.events import Actor
from engine.files import write_file
from engine.nodes import Nodes
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Nothing, Verb


@dataclass(frozen=True)
class ArchiveLine:
    """An archive, as it is listed."""

    id: str
    node: str
    """The node's name, or its identifier once it was removed."""
    size_bytes: int
    time: float


@dataclass(frozen=True)
class ArchiveLines:
    """All archives, the latest first."""

    archives: tuple[ArchiveLine, ...]


@dataclass(frozen=True)
class OnArchive:
    """Ask for something about one archive; `file` is where it is to be saved."""

    actor: str
    archive: str
    file: str = ""


ARCHIVES_LIST = Verb("archives.list", Nothing, ArchiveLines)
ARCHIVES_SAVE = Verb("archives.save", OnArchive, Nothing)
ARCHIVES_REMOVE = Verb("archives.remove", OnArchive, Nothing)


@dataclass(frozen=True)
class ArchiveAdministration:
    """Answers the verbs about archives."""

    archives: Archives
    nodes: Nodes

    def answers(self) -> dict[str, tuple[Verb[Any, Any], Callable[[Any], object]]]:
        """List who answers what, by the verb's name."""
        pairs: tuple[tuple[Verb[Any, Any], Callable[[Any], object]], ...] = (
            (ARCHIVES_LIST, self.list),
            (ARCHIVES_SAVE, self.save),
            (ARCHIVES_REMOVE, self.remove),
        )
        return {verb.name: (verb, function) for verb, function in pairs}

    def list(self, request: Nothing) -> ArchiveLines:
        """List archives by their nodes' names."""
        names = {node.id: node.name for node in self.nodes.list()}
        return ArchiveLines(
            tuple(
                ArchiveLine(one.id, names.get(one.node, one.node), one.size_bytes, one.time)
                for one in self.archives.list()
            )
        )

    def save(self, request: OnArchive) -> Nothing:
        """Write an archive into a file."""
        content = self.archives.read(request.archive, Actor(request.actor))
        try:
            write_file(Path(request.file), content)
        except OSError as error:
            raise VirtnodeError(
                Code.FAILED, f"{request.file} cannot be written: {error.strerror}", "choose another file"
            ) from error
        return Nothing()

    def remove(self, request: OnArchive) -> Nothing:
        """Remove an archive."""
        self.archives.remove(request.archive, Actor(request.actor))
        return Nothing()
