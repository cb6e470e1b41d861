"""What tty1 and the serial line show above the login prompt: what this machine is, and how to reach it."""

import json
import logging
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nodelib.bus import Status
from nodelib.codec import decode_lenient, parse_json
from nodelib.errors import VirtnodeError, exit_status
from nodelib.run import run

logger = logging.getLogger(__name__)

LIBVIRT_SOCKETS = ("run/libvirt/libvirt-sock", "run/libvirt/virtqemud-sock")
STATUS = "run/virtnode/status.json"
ISSUE = "run/issue.d/50-virtnode.issue"
WIDTH = 80


@dataclass(frozen=True)
class Banner:
    """The facts shown, already in a person's words."""

    product: str
    hostname: str
    addresses: tuple[str, ...]
    fingerprints: tuple[str, ...]
    kvm: bool
    libvirt: bool
    engine: tuple[str, ...] = ()
    """How the node stands with its engine; empty before the agent has said so."""


def main() -> int:
    """Write the banner and let the login prompts show it; returns the exit status."""
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    try:
        write_banner(collect_banner(Path("/")), Path("/"))
        run(["agetty", "--reload"])
    except VirtnodeError as error:
        logger.error("%s", error.message)
        return exit_status(error.code)
    return 0


def collect_banner(root: Path) -> Banner:
    """Read the facts of the running machine; files are looked up below `root`."""
    return Banner(
        product=read_product((root / "usr/lib/os-release").read_text()),
        hostname=(root / "proc/sys/kernel/hostname").read_text().strip(),
        addresses=parse_addresses(run(["ip", "-json", "address", "show"]).stdout),
        fingerprints=collect_fingerprints(root),
        kvm=(root / "dev/kvm").exists(),
        libvirt=any(is_socket(root / path) for path in LIBVIRT_SOCKETS),
        engine=collect_engine(root),
    )


def read_product(os_release: str) -> str:
    """Return the product's name and version from os-release."""
    fields = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    return fields.get("PRETTY_NAME", "virtnode").strip('"')


def parse_addresses(text: str) -> tuple[str, ...]:
    """Read `ip -json address`: one line an interface that has an address others can reach."""
    lines = []
    for link in json.loads(text):
        reachable = [
            f"{address['local']}/{address['prefixlen']}"
            for address in link.get("addr_info", [])
            if address.get("scope") == "global"
        ]
        if reachable:
            lines.append(f"{link['ifname']}: {', '.join(reachable)}")
    return tuple(lines)


def collect_fingerprints(root: Path) -> tuple[str, ...]:
    """Return `TYPE SHA256:…` for each of the SSH server's public keys."""
    fingerprints = []
    for key in sorted((root / "etc/ssh").glob("ssh_host_*_key.pub")):
        words = run(["ssh-keygen", "-l", "-f", key]).stdout.split()
        fingerprints.append(f"{words[-1].strip('()')} {words[1]}")
    return tuple(fingerprints)


def collect_engine(root: Path) -> tuple[str, ...]:
    """Read what the agent says about the engine: nothing where it has not said anything yet."""
    try:
        status = decode_lenient(Status, parse_json((root / STATUS).read_text()))
    except (OSError, VirtnodeError):
        return ()
    return engine_lines(status)


def engine_lines(status: Status) -> tuple[str, ...]:
    """Say where the node stands; while it waits for approval, with what a person compares."""
    if not status.engine:
        return ("none: log in and run virtnodectl join",)
    if status.connected:
        name = f" as {status.name}" if status.name else ""
        return (f"{status.engine}: {status.state or 'joined'}{name}",)
    if status.state == "pending":
        kind, _, digits = status.fingerprint.partition(":")
        half = len(digits) // 2
        return (
            f"{status.engine}: waits for approval",
            f"code {status.approval_code}",
            f"key  {kind}:{digits[:half]}",
            f"{'':<12}{digits[half:]}",
        )
    return (f"{status.engine}: not joined", status.ladder) if status.ladder else (status.engine,)


def is_socket(path: Path) -> bool:
    """Tell whether a service listens at `path`, or is started when somebody calls there."""
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False


def banner_text(banner: Banner) -> str:
    """Lay the banner out for 80 columns in plain ASCII; agetty's escapes are defused."""
    rows = [
        ("Addresses", banner.addresses or ("none yet: is a cable plugged in?",)),
        ("SSH keys", banner.fingerprints or ("being made",)),
        ("KVM", ("ready" if banner.kvm else "missing: enable virtualisation in the firmware setup",)),
        ("libvirt", ("ready" if banner.libvirt else "starting",)),
        ("Engine", banner.engine),
    ]
    lines = [f"{banner.product} - {banner.hostname}", ""]
    lines += [line for title, values in rows for line in _row(title, values)]
    return "".join(f"{_harmless(line[:WIDTH])}\n" for line in [*lines, ""])


def _harmless(line: str) -> str:
    """Take from a line what agetty or the terminal would act upon: a host name may come from the network."""
    plain = "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in line)
    return plain.replace("\\", "\\\\")


def _row(title: str, values: Sequence[str]) -> list[str]:
    return [f"  {title if number == 0 else '':<10} {value}" for number, value in enumerate(values)]


def write_banner(banner: Banner, root: Path) -> None:
    """Replace the login prompt's text in one step, for getty may read it at any time."""
    issue = root / ISSUE
    issue.parent.mkdir(exist_ok=True)
    fresh = issue.with_suffix(".new")
    fresh.write_text(banner_text(banner), encoding="ascii")
    fresh.replace(issue)


if __name__ == "__main__":
    sys.exit(main())
