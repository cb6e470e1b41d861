"""Rules that choose the disk to install to: read, and matched, on the node and on recorded hardware alike."""

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeAlias

from nodelib.bus_install import InstallDisk
from nodelib.errors import Code, VirtnodeError

ASK, AUTO = "ask", "auto"
"""Words of `node.install` that are no rule: let a person choose; take the rule of the configuration."""
SMALLEST_DISK = 8 * 10**9
"""Bytes that a disk must have at least."""
BOOT_MEDIUM = "it is the medium that this system runs from"
READ_ONLY = "it is read-only"

HINT = (
    "a rule is a device, `smallest`, `largest`, `first`, or some of name: id: path: serial: model: bus: "
    "size: rotational:, with commas between"
)
NAMING = ("name:", "id:", "path:", "serial:", "model:", "bus:")
"""Words of a rule that say which disk, and not only what kind of."""
ELSEWHERE = ("usb", "iscsi", "fc", "fcoe")
"""Buses of sticks that somebody forgot, and of disks that are not this machine's."""
UNITS = {"": 1, "M": 10**6, "G": 10**9, "T": 10**12}
SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([MGT]?)B?", re.IGNORECASE)
Test: TypeAlias = Callable[[InstallDisk], bool]
Pick: TypeAlias = Callable[[Sequence[InstallDisk]], Sequence[InstallDisk]]


@dataclass(frozen=True)
class Rule:
    """A rule that was read: disks pass all tests, then the picks choose among them."""

    text: str
    tests: tuple[Test, ...]
    picks: tuple[Pick, ...]

    def match(self, disks: Sequence[InstallDisk]) -> tuple[InstallDisk, ...]:
        """Return the disks that the rule means."""
        found: Sequence[InstallDisk] = [disk for disk in disks if all(test(disk) for test in self.tests)]
        for pick in self.picks:
            found = pick(found)
        return tuple(found)


def read_rule(text: str) -> Rule:
    """Read a rule; raises VirtnodeError (invalid) with the word that makes no sense."""
    words = [word.strip() for word in text.split(",")]
    if text.startswith("/"):
        return Rule(text, (_device_test(text),), ())
    tests: list[Test] = []
    picks: list[Pick] = []
    for word in words:
        name, colon, value = word.partition(":")
        if not colon and word in PICKS:
            picks.append(PICKS[word])
        elif colon and value and name in TESTS:
            tests.append(TESTS[name](value))
        else:
            raise VirtnodeError(Code.INVALID, f"{word or 'nothing'} is no rule that chooses a disk", HINT)
    return Rule(text, tuple(tests), tuple(picks))


def choose_disk(text: str, disks: Sequence[InstallDisk]) -> InstallDisk:
    """Return the one disk that a rule means; raises VirtnodeError (not-found, conflict) listing disks.

    The boot medium, what is read-only and what is too small are never meant, unless named by their path.
    """
    found = match_disks(text, disks)
    if len(found) > 1:
        raise VirtnodeError(
            Code.CONFLICT, f"the rule {text} means several disks: {_listed(found)}", "say more, or add ,first"
        )
    return found[0]


def match_disks(text: str, disks: Sequence[InstallDisk]) -> tuple[InstallDisk, ...]:
    """Return all disks that a rule means; raises VirtnodeError (not-found) if there is none.

    What `choose_disk` never means is left out here, too.
    """
    rule = read_rule(text)
    usable = disks if text.startswith("/") else candidates(disks, text)
    found = rule.match(usable)
    if not found:
        raise VirtnodeError(
            Code.NOT_FOUND, f"the rule {text} means none of these disks: {_listed(usable or disks)}", HINT
        )
    return found


def candidates(disks: Sequence[InstallDisk], text: str = "") -> tuple[InstallDisk, ...]:
    """Return the disks that a rule may mean: what is plugged in or far away must be asked for."""
    never = {BOOT_MEDIUM, READ_ONLY}
    asked_for = any(word.startswith(NAMING) for word in text.split(","))
    return tuple(
        disk
        for disk in disks
        if disk.size_bytes >= SMALLEST_DISK
        and not never & set(disk.refusals)
        and (asked_for or disk.bus not in ELSEWHERE)
    )


def describe_disk(disk: InstallDisk) -> str:
    """Name a disk in one line."""
    kind = "disk" if disk.rotational else "SSD"
    words = [disk.model or f"{disk.bus} {kind}".strip(), f"{disk.size_bytes / 1e9:.1f} GB"]
    return f"{disk.name} ({', '.join([*words, f'serial {disk.serial}' if disk.serial else 'no serial'])})"


def _listed(disks: Sequence[InstallDisk]) -> str:
    return "; ".join(map(describe_disk, disks)) or "there is no disk"


def _device_test(path: str) -> Test:
    folder, name = str(PurePosixPath(path).parent), PurePosixPath(path).name
    if folder == "/dev/disk/by-id":
        return lambda disk: name in disk.ids
    if folder == "/dev/disk/by-path":
        return lambda disk: disk.path == path
    return lambda disk: path == f"/dev/{disk.name}"


def _glob(of: Callable[[InstallDisk], Sequence[str]]) -> Callable[[str], Test]:
    def make(pattern: str) -> Test:
        folded = pattern.lower()
        return lambda disk: any(fnmatch.fnmatchcase(text.lower(), folded) for text in of(disk) if text)

    return make


def _size_test(text: str) -> Test:
    lowest, dash, highest = text.partition("-")
    least = _bytes(lowest, text) if lowest else 0.0
    most = _bytes(highest, text) if highest else float("inf")
    # One size alone is a disk's nominal one: what is sold as 480G has a few bytes more or less.
    if not dash:
        least, most = least * 0.98, least * 1.02
    return lambda disk: least <= disk.size_bytes <= most


def _bytes(text: str, whole: str) -> float:
    match = SIZE.fullmatch(text)
    if match is None:
        raise VirtnodeError(Code.INVALID, f"size:{whole} is no range of sizes", "write 100G-2T, 100G- or -2T")
    return float(match[1]) * UNITS[match[2].upper()]


def _rotational_test(text: str) -> Test:
    if text not in ("yes", "no"):
        raise VirtnodeError(Code.INVALID, f"rotational:{text} is neither yes nor no", HINT)
    return lambda disk: disk.rotational == (text == "yes")


def _extreme(function: Callable[[list[int]], int]) -> Pick:
    def pick(disks: Sequence[InstallDisk]) -> Sequence[InstallDisk]:
        if not disks:
            return ()
        wanted = function([disk.size_bytes for disk in disks])
        return [disk for disk in disks if disk.size_bytes == wanted]

    return pick


TESTS: dict[str, Callable[[str], Test]] = {
    "name": _glob(lambda disk: (disk.name,)),
    "id": _glob(lambda disk: disk.ids),
    "path": _glob(lambda disk: (PurePosixPath(disk.path).name, disk.path)),
    "serial": _glob(lambda disk: (disk.serial,)),
    "model": _glob(lambda disk: (disk.model,)),
    "bus": _glob(lambda disk: (disk.bus,)),
    "size": _size_test,
    "rotational": _rotational_test,
}
"""What can be asked of a disk."""
PICKS: dict[str, Pick] = {
    "smallest": _extreme(min),
    "largest": _extreme(max),
    "first": lambda disks: sorted(disks, key=lambda disk: (disk.path or "~", disk.name))[:1],
}
"""Words that choose among disks."""
