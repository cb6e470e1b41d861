"""The kickstart commands that are honoured, each with its options and what it adds to the draft."""

import re
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from image.config import Origin, Partition, Repository
from image.kickstart_accounts import read_group, read_rootpw, read_sshkey, read_user
from image.kickstart_draft import Arguments, Draft
from image.kickstart_install import read_clearpart, read_ignoredisk, reader_of_end
from image.kickstart_network import check_ntp_server, read_firewall, read_network
from image.kickstart_text import Problems, suggest

LANGUAGE = re.compile(r"(C|POSIX|[a-z]{2,3}(_[A-Z]{2})?)(\.[A-Za-z0-9-]+)?(@[a-z]+)?")
KEYMAP = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
TIME_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")
REPOSITORY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]*")
UNIT_NAME = re.compile(r"[A-Za-z0-9:_.@\\-]+")
MENU_SYNTAX = frozenset("$;&|<>{}'\\`")
"""What GRUB, iPXE or PXELINUX would act upon."""
KERNEL_ARGUMENT = re.compile(r'(?:"[^"]*"|[^\s"])+')
URL_SCHEMES = ("http", "https", "ftp", "file")
FILE_SYSTEMS = {"/": "squashfs", "/boot/efi": "efi", "/var/lib/virtnode": "ext4"}
"""Each mount point the disk layout knows, and the file system it has there."""


@dataclass(frozen=True)
class Honoured:
    """A command that is honoured: its words as a user is shown them, and who reads it."""

    words: tuple[str, ...]
    """Values in capitals; options as `--name` or `--name=VALUE`."""
    read: Callable[[Draft, Origin, Arguments], None]
    fedora_words: tuple[str, ...] = ()
    """Options that Debian has no word for."""
    keeps_secret: bool = False
    """Whether its words may hold a password, so that no message repeats them."""


def read_lang(draft: Draft, origin: Origin, arguments: Arguments) -> None:
    """Take the language of the system."""
    language = arguments.text("lang")
    if not LANGUAGE.fullmatch(language):
        draft.problems.add(origin, f"{language!r} is not a locale", "as in C.UTF-8 or en_US.UTF-8")
    draft.set_once(origin, "lang", language)


def read_keyboard(draft: Draft, origin: Origin, arguments: Arguments) -> None:
    """Take the console's keymap."""
    keymap = arguments.text("keyboard")
    if not KEYMAP.fullmatch(keymap):
        draft.problems.add(origin, f"{keymap!r} is not a keymap", "as in us or de-nodeadkeys")
    draft.set_once(origin, "keyboard", keymap)


def read_timezone(draft: Draft, origin: Origin, arguments: Arguments) -> None:
    """Take the time zone, and whether the hardware clock keeps UTC."""
    zone = arguments.text("timezone")
    if zone:
        check_timezone(draft.problems, origin, zone, zoneinfo.available_timezones())
        draft.set_once(origin, "timezone", zone)
    draft.set_once(origin, "timezone --utc", arguments.is_set("isUtc"))


def check_timezone(problems: Problems, origin: Origin, zone: str, known_zones: set[str]) -> None:
    """Report a zone that is not known here; where no zone is known, one that does not look like any."""
    if known_zones and zone not in known_zones:
        suggestion = suggest(zone, known_zones)
        problems.add(origin, f"time zone {zone!r} is not known{suggestion}", "as in UTC or Europe/Prague")
    elif not TIME_ZONE.fullmatch(zone):
        problems.add(origin, f"{zone!r} is not a time zone", "as in UTC or Europe/Prague")


def read_timesource(draft: Draft, origin: Origin, arguments: Arguments) -> None:
    """Add a time server."""
    server = arguments.text("ntp_server")
    check_ntp_server(draft.problems, origin, server)
    if draft.add_name(origin, "timesource --ntp-server", server):
        draft.ntp_servers.append(server)


def read_selinux(draft: Draft, origin: Origin, arguments: Arguments) -> None:
    """Take SELinux's mode."""
    if len(arguments.options) != 1:
        draft.problems.add(origin, "selinux takes one mode", "--enforcing, --permissive or --disabled")
        return
    draft.set_once(origin, "selinux", min(arguments.options).removeprefix("--"))


def read_services(draft: Draft, origin: Origin, arguments: Arguments) -> None:
    """Add units to enable and to disable."""
    for kind, units in (("enabled", draft.services_enabled), ("disabled", draft.services_disabled)):
        for unit in arguments.texts(kind):
            if not UNIT_NAME.fullmatch(unit):
                draft.problems.add(origin, f"{unit!r} is not a unit", "as in sshd or virtqemud.socket")
            draft.places.setdefault((f"services --{kind}", unit), origin)
            if unit not in units:
                units.append(unit)


def read_bootloader(draft: Draft, origin: Origin, arguments: Arguments) -> None:
    """Add kernel arguments, take the menu's time."""
    text, timeout = arguments.text("appendLine"), arguments.number("timeout")
    if text.count('"') % 2:
        draft.problems.add(
            origin, "bootloader --append has a quote without its pair", 'NAME=VALUE NAME="A B"'
        )
    if unsafe := sorted(set(text) & MENU_SYNTAX):
        draft.problems.add(
            origin,
            f"bootloader --append has {' '.join(unsafe)}, which boot menus would not pass on as it stands",
            "everything but " + " ".join(sorted(MENU_SYNTAX)),
        )
    draft.kernel_arguments.extend(KERNEL_ARGUMENT.findall(text))
    if timeout is None:
        return
    if not 0 <= timeout <= 3600:
        draft.problems.add(origin, f"bootloader --timeout={timeout} is out of range", "0 to 3600 seconds")
    draft.set_once(origin, "bootloader --timeout", timeout)


def read_url(draft: Draft, origin: Origin, arguments: Arguments) -> None:
    """Take the main repository."""
    repository = _read_repository(draft.problems, origin, "", arguments.text("url"), arguments)
    draft.set_once(origin, "url", repository)


def read_repo(draft: Draft, origin: Origin, arguments: Arguments) -> None:
    """Add a repository."""
    name = arguments.text("name")
    if not REPOSITORY_NAME.fullmatch(name):
        draft.problems.add(origin, f"{name!r} is not a repository name", "letters, digits and ._:-")
    draft.add_name(origin, "repo --name", name)
    if not arguments.options & {"--baseurl", "--mirrorlist", "--metalink"}:
        draft.problems.add(
            origin, f"repo --name={name} has no address", "--baseurl, --mirrorlist or --metalink"
        )
    cost = arguments.number("cost")
    if cost is not None and cost < 0:
        draft.problems.add(origin, f"repo --cost={cost} is negative", "0 or more")
    draft.repositories.append(
        _read_repository(draft.problems, origin, name, arguments.text("baseurl"), arguments)
    )


def read_part(draft: Draft, origin: Origin, arguments: Arguments) -> None:
    """Add a partition of the disk layout."""
    mountpoint, size = arguments.text("mountpoint"), arguments.number("size") or 0
    if mountpoint not in FILE_SYSTEMS:
        draft.problems.add_unknown(origin, "part", mountpoint, FILE_SYSTEMS)
        return
    draft.add_name(origin, "part", mountpoint)
    partition = Partition(mountpoint, size, arguments.text("fstype"))
    _check_partition(draft.problems, origin, partition)
    draft.partitions.append(partition)


def read_logvol(draft: Draft, origin: Origin, arguments: Arguments) -> None:
    """Take that an installation makes a thin pool; its name and place are the installation's own."""
    given = (arguments.text("mountpoint"), arguments.text("name"), arguments.text("vgname"))
    pool = (given, arguments.number("percent"), arguments.is_set("thin_pool"))
    if pool != (("none", "guests", "virtnode"), 98, True):
        draft.problems.add(origin, "logvol makes the thin pool for guests alone", " ".join(THIN_POOL_WORDS))
    draft.set_once(origin, "logvol --thinpool", True)


def _read_repository(
    problems: Problems, origin: Origin, name: str, address: str, arguments: Arguments
) -> Repository:
    repository = Repository(
        name=name,
        baseurl=address,
        mirrorlist=arguments.text("mirrorlist"),
        metalink=arguments.text("metalink"),
        includepkgs=arguments.texts("includepkgs"),
        excludepkgs=arguments.texts("excludepkgs"),
        cost=arguments.number("cost"),
        proxy=arguments.text("proxy"),
        verify_tls=not arguments.is_set("noverifyssl"),
    )
    for url in (repository.baseurl, repository.mirrorlist, repository.metalink, repository.proxy):
        if url and not _is_url(url):
            problems.add(
                origin, "a repository's address is not a URL", f"{', '.join(URL_SCHEMES)}: and a host"
            )
    return repository


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    has_place = parts.path.startswith("/") if parts.scheme == "file" else bool(parts.hostname)
    return parts.scheme in URL_SCHEMES and has_place and not re.search(r"\s", url)


def _check_partition(problems: Problems, origin: Origin, partition: Partition) -> None:
    where = f"part {partition.mountpoint}"
    if partition.size < 1:
        problems.add(origin, f"{where} has no size", "--size=MEBIBYTES, 1 or more")
    allowed = FILE_SYSTEMS[partition.mountpoint]
    if partition.filesystem not in ("", allowed):
        problems.add(origin, f"{where} cannot be {partition.filesystem}", f"--fstype={allowed}")


THIN_POOL_WORDS = ("logvol", "none", "--name=guests", "--vgname=virtnode", "--percent=98", "--thinpool")
REPOSITORY_WORDS = ("--mirrorlist=URL", "--metalink=URL", "--proxy=URL", "--noverifyssl")
REPO_WORDS = (*REPOSITORY_WORDS, "--cost=NUMBER", "--includepkgs=GLOB,GLOB", "--excludepkgs=GLOB,GLOB")

NETWORK_WORDS = (
    "--device=NAME",
    "--bootproto=dhcp|static",
    "--ip=ADDRESS",
    "--netmask=MASK",
    "--gateway=ADDRESS",
    "--noipv4",
    "--ipv6=auto|dhcp|ADDRESS/PREFIX",
    "--ipv6gateway=ADDRESS",
    "--noipv6",
    "--nameserver=ADDRESS,ADDRESS",
    "--hostname=NAME",
    "--mtu=BYTES",
    "--vlanid=NUMBER",
    "--bondslaves=NAME,NAME",
    "--bondopts=NAME=VALUE,NAME=VALUE",
    "--bridgeslaves=NAME,NAME",
    "--onboot=yes|no",
)

USER_WORDS = (
    "--name=NAME",
    "--iscrypted",
    "--password=HASH",
    "--lock",
    "--uid=NUMBER",
    "--gid=NUMBER",
    "--gecos=TEXT",
    "--homedir=PATH",
    "--shell=PATH",
    "--groups=NAME,NAME",
)

HONOURED: dict[str, Honoured] = {
    "bootloader": Honoured(("--append=ARGUMENTS", "--timeout=SECONDS"), read_bootloader),
    "clearpart": Honoured(("--all", "--initlabel", "--drives=NAME"), read_clearpart),
    "firewall": Honoured(
        ("--enabled", "--disabled", "--service=NAME,NAME", "--port=NUMBER:tcp,NUMBER:udp"), read_firewall
    ),
    "group": Honoured(("--name=NAME", "--gid=NUMBER"), read_group),
    "ignoredisk": Honoured(("--only-use=NAME",), read_ignoredisk),
    "keyboard": Honoured(("KEYMAP", "--vckeymap=KEYMAP"), read_keyboard),
    "lang": Honoured(("LOCALE",), read_lang),
    "logvol": Honoured(THIN_POOL_WORDS[1:], read_logvol),
    "network": Honoured(NETWORK_WORDS, read_network),
    "part": Honoured(("MOUNTPOINT", "--size=MEBIBYTES", "--fstype=TYPE"), read_part),
    "poweroff": Honoured((), reader_of_end("poweroff")),
    "reboot": Honoured((), reader_of_end("reboot")),
    "repo": Honoured(("--name=NAME", "--baseurl=URL", *REPO_WORDS), read_repo, fedora_words=REPO_WORDS),
    "rootpw": Honoured(("--iscrypted", "HASH", "--lock"), read_rootpw, keeps_secret=True),
    "selinux": Honoured(("--enforcing", "--permissive", "--disabled"), read_selinux),
    "services": Honoured(("--enabled=UNIT,UNIT", "--disabled=UNIT,UNIT"), read_services),
    "sshkey": Honoured(("--username=NAME", "KEY"), read_sshkey),
    "timesource": Honoured(("--ntp-server=NAME",), read_timesource),
    "timezone": Honoured(("ZONE", "--utc"), read_timezone),
    "url": Honoured(("--url=URL", *REPOSITORY_WORDS), read_url, fedora_words=REPOSITORY_WORDS),
    "user": Honoured(USER_WORDS, read_user, keeps_secret=True),
}
"""Every honoured command by its name."""
