"""What the boot medium and a medium labelled VIRTNODE say of this node, laid where the agent finds it."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nodeagent.intent_sources import EMBEDDED, MEDIUM, parse_node_toml
from nodeagent.state_disk import Runs
from nodelib.bus import SourceState, SourceStep
from nodelib.codec import decode_lenient, parse_json, to_json
from nodelib.config_area import AREA_FILE, AREA_SIZE, SIGNATURE_SIZE, TRUSTED_KEYS, parse_area
from nodelib.errors import VirtnodeError
from nodelib.run import run

logger = logging.getLogger(__name__)

REPORT = "run/virtnode/sources.json"
INITRAMFS_AREA = "run/virtnode/config.img"
"""Where the initramfs leaves the area of a PXE folder's archive."""
ISO_AREA = f"run/initramfs/live/{AREA_FILE}"
"""Where dracut mounts the ISO it started from."""
DISK_ROOT = "root=live:PARTLABEL="
ESP_DEVICE = "dev/disk/by-label/VIRTNODE-SP"
MEDIUM_DEVICE = "dev/disk/by-label/VIRTNODE"
MEDIUM_FILE, MEDIUM_SIGNATURE = "node.toml", "node.toml.sig"
INSTALLED = "var/lib/virtnode/installed"
"""What was read of either when this node was installed: in force as long as there is no other."""
MOUNT_POINT = "run/virtnode/medium"
FILE_SYSTEMS = "vfat,iso9660,ext4"
LARGEST = 1024 * 1024
MOUNT_TIMEOUT = 20.0

Reader = Callable[[Path, Runs], bytes | None]
"""Returns a document, None where the source is absent; raises VirtnodeError or OSError."""


@dataclass(frozen=True)
class SourceReport:
    """What was found at the start: a line for each source, and what is wrong with them."""

    lines: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    steps: tuple[SourceStep, ...] = ()


def main() -> int:
    """Read both sources; returns 0 whatever was found, for a node starts without them."""
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    collect_sources(Path("/"))
    return 0


def collect_sources(root: Path, command: Runs = run) -> SourceReport:
    """Lay each source that is there and right at its place, take away what is not, and leave a report."""
    sources: tuple[tuple[str, str, str, Reader], ...] = (
        ("embedded in the boot medium", "embedded", EMBEDDED, read_embedded),
        ("a medium labelled VIRTNODE", "medium VIRTNODE", MEDIUM, read_medium),
    )
    (root / EMBEDDED).parent.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    problems: list[str] = []
    steps: list[SourceStep] = []
    for name, short, target, read in sources:
        path = root / target
        path.unlink(missing_ok=True)
        try:
            found = read(root, command)
            content = _read_installed(root, target) if found is None else found
            if content is not None:
                parse_node_toml(content.decode(), name)
                _lay(path, content)
            how = _how(found, content)
            lines.append(f"configuration: {name}: {how}")
            steps.append(SourceStep(short, SourceState.NONE if content is None else SourceState.USED, how))
        except (VirtnodeError, OSError, UnicodeDecodeError) as error:
            text = error.message.replace("\n", "; ") if isinstance(error, VirtnodeError) else str(error)
            problems.append(f"configuration: {name}: left out: {text}")
            steps.append(SourceStep(short, SourceState.NONE, "left out"))
    for line in (*lines, *problems):
        logger.info("%s", line)
    report = SourceReport(tuple(lines), tuple(problems), tuple(steps))
    (root / REPORT).write_text(to_json(report))
    return report


def read_report(root: Path) -> SourceReport:
    """Read what was left for the agent; nothing where nobody looked."""
    try:
        return decode_lenient(SourceReport, parse_json((root / REPORT).read_text()))
    except (OSError, VirtnodeError):
        return SourceReport()


def read_embedded(root: Path, command: Runs) -> bytes | None:
    """Read the config area of the medium that this node started from."""
    path = find_area(root)
    if path is not None:
        return _read_area(root, path)
    # An installed disk may be in the machine while it starts from another medium.
    if DISK_ROOT not in (root / "proc/cmdline").read_text() or not (root / ESP_DEVICE).exists():
        return None
    with _mounted(root, ESP_DEVICE, command) as folder:
        return _read_area(root, folder / AREA_FILE) if (folder / AREA_FILE).is_file() else None


def find_area(root: Path) -> Path | None:
    """Find the area that an ISO or a PXE folder brought."""
    return next((path for path in (root / INITRAMFS_AREA, root / ISO_AREA) if path.is_file()), None)


def read_medium(root: Path, command: Runs) -> bytes | None:
    """Read node.toml of a medium that somebody plugged in."""
    if not (root / MEDIUM_DEVICE).exists():
        return None
    with _mounted(root, MEDIUM_DEVICE, command) as folder:
        content = _read(folder / MEDIUM_FILE, LARGEST)
        signature = folder / MEDIUM_SIGNATURE
        _check_signature(root, content, _read(signature, SIGNATURE_SIZE) if signature.exists() else b"")
        return content


def carry_sources(root: Path, state: Path) -> None:
    """Copy what is in force of both sources into the state of a node that is being installed.

    There only root reads it, it needs no medium, and it is still what it was: a source below the state.
    """
    for source in (EMBEDDED, MEDIUM):
        target = state / Path(INSTALLED).name / Path(source).name
        target.unlink(missing_ok=True)
        if (root / source).is_file():
            target.parent.mkdir(mode=0o700, exist_ok=True)
            _lay(target, (root / source).read_bytes())


def _read_installed(root: Path, target: str) -> bytes | None:
    path = root / INSTALLED / Path(target).name
    return _read(path, LARGEST) if path.is_file() else None


def _how(found: bytes | None, content: bytes | None) -> str:
    if content is None:
        return "none"
    return "used" if found is not None else "used, as this node was installed with it"


def _read_area(root: Path, path: Path) -> bytes | None:
    area = parse_area(_read(path, AREA_SIZE))
    if area.is_blank:
        return None
    _check_signature(root, area.payload, area.signature)
    return area.payload


def _check_signature(root: Path, content: bytes, signature: bytes) -> None:
    keys = sorted((root / TRUSTED_KEYS).glob("*.pem"))
    if keys:
        # Most nodes trust no key, and start sooner without the library.
        from nodeagent.config_signature import check_signature

        check_signature(content, signature, keys)


@contextmanager
def _mounted(root: Path, device: str, command: Runs) -> Iterator[Path]:
    target = root / MOUNT_POINT
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    argv: list[str | Path] = ["mount", "-t", FILE_SYSTEMS, "-o", "ro,nosuid,nodev,noexec"]
    command([*argv, root / device, target], check=True, timeout=MOUNT_TIMEOUT)
    try:
        yield target
    finally:
        command(["umount", target], check=False, timeout=MOUNT_TIMEOUT)


def _read(path: Path, largest: int) -> bytes:
    with path.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise OSError(f"{path.name} has more than {largest} bytes")
    return content


def _lay(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(content)


if __name__ == "__main__":
    sys.exit(main())
