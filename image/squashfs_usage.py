"""How many compressed bytes of a squashfs image each file takes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from image.squashfs_reader import Piece, SquashedFile, SquashfsImage


@dataclass(frozen=True)
class FileUsage:
    """A file's own size and its part of the image, in bytes."""

    path: str
    size: int
    compressed: int


@dataclass(frozen=True)
class SquashfsUsage:
    """All files of an image, and the bytes that are no file's: names, inodes and indexes."""

    files: tuple[FileUsage, ...]
    tables: int


def measure_squashfs(image: SquashfsImage) -> SquashfsUsage:
    """Divide an image's bytes among its files, so that the parts add up to the whole.

    A block that several files share, being equal, is divided evenly among them; a fragment is divided by
    the bytes that each file has in it. A hard link counts at its first path.
    """
    files = {file.inode: file for file in sorted(image.files, key=lambda file: file.path, reverse=True)}
    users: dict[Piece, list[int]] = defaultdict(list)
    for file in files.values():
        for piece in file.pieces:
            users[piece].append(file.inode)
    costs = _costs_of_pieces(users)
    compressed: dict[int, int] = defaultdict(int)
    for piece, inodes in users.items():
        for inode, part in zip(sorted(inodes), split_by_weight(costs[piece], [1] * len(inodes)), strict=True):
            compressed[inode] += part
    first_paths = {file.path for file in files.values()}
    usages = tuple(_usage(file, compressed[file.inode], file.path in first_paths) for file in image.files)
    return SquashfsUsage(usages, image.superblock.bytes_used - sum(costs.values()))


def _usage(file: SquashedFile, compressed: int, is_first: bool) -> FileUsage:
    return FileUsage(file.path, file.size, compressed) if is_first else FileUsage(file.path, 0, 0)


def _costs_of_pieces(pieces: Iterable[Piece]) -> Mapping[Piece, int]:
    """Give each distinct piece its stored bytes: a block its own, parts of a fragment by their length."""
    costs = {}
    fragments: dict[int, list[Piece]] = defaultdict(list)
    for piece in pieces:
        if piece.length is None:
            costs[piece] = piece.stored
        else:
            fragments[piece.position].append(piece)
    for parts in fragments.values():
        parts.sort(key=lambda piece: piece.offset)
        lengths = [piece.length or 0 for piece in parts]
        costs |= dict(zip(parts, split_by_weight(parts[0].stored, lengths), strict=True))
    return costs


def split_by_weight(total: int, weights: list[int]) -> list[int]:
    """Divide a whole number by weights into whole numbers that add up to it; no weight at all gives zeros."""
    parts, given, seen, whole = [], 0, 0, max(sum(weights), 1)
    for weight in weights:
        seen += weight
        parts.append(total * seen // whole - given)
        given += parts[-1]
    return parts
