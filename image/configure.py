"""Lay a kickstart's settings over an installed root: names, access, network, firewall, services."""

import glob
import shutil
from collections.abc import Sequence
from pathlib import Path

from image.chroot import run_in_root
from image.config import Group, ImageConfig, Selinux, SshKey, User
from image.layout import forget_password_dates, lay_tree
from image.networkd import network_units
from image.nftables import firewall_rules
from nodelib.errors import Code, InvalidInput, VirtnodeError

OVERLAY = Path(__file__).parent / "data/rootfs"
EMPTY_DIRECTORIES = ("dev", "run", "tmp", "var/tmp", "var/cache", "var/log", "boot")
KEYMAPS = ("usr/share/keymaps", "usr/lib/kbd/keymaps")
NEEDS_NO_FILE = ("UTC", "Etc/UTC")
NOT_FOR_THE_IMAGE = ("etc/ssh/ssh_host_*", "etc/*-", "etc/apt/sources.list*", "var/lib/systemd/random-seed")


def configure_root(config: ImageConfig, root: Path) -> None:
    """Apply every setting of the kickstart but its %post scripts to `root`."""
    check_locale(config, root)
    lay_tree(OVERLAY, root)
    write_locale(config, root)
    write_names(config, root)
    add_accounts(config.groups, config.users, config.root_password, root)
    write_ssh_keys(config.ssh_keys, root)
    write_network(config, root)
    write_text(root / "etc/nftables.conf", firewall_rules(config.firewall))
    write_selinux(config.selinux, root)
    choose_services(config, root)


def clean_root(root: Path) -> None:
    """Remove what belongs to one machine or to the installation: keys, caches, logs, identifiers."""
    for name in EMPTY_DIRECTORIES:
        directory = root / name
        if directory.is_dir():
            for child in directory.iterdir():
                if child.is_dir() and not child.is_symlink():
                    shutil.rmtree(child)
                else:
                    child.unlink()
    for pattern in NOT_FOR_THE_IMAGE:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    forget_password_dates(root)
    # Empty, not absent: systemd makes an identifier for this boot and does not treat it as a first one.
    write_text(root / "etc/machine-id", "")


def write_text(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file of the root whole, never through a symlink, which could point outside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(mode)


def check_locale(config: ImageConfig, root: Path) -> None:
    """Raise InvalidInput for a keyboard layout or a time zone that the packages did not bring.

    The kernel knows the layout `us` and every program the zone UTC without any file.
    """
    problems = []
    if config.keyboard != "us" and not any(
        any((root / folder).rglob(f"{glob.escape(config.keyboard)}.{ending}"))
        for folder in KEYMAPS
        for ending in ("map", "map.gz", "kmap", "kmap.gz")
    ):
        problems.append(
            f"no package has the keyboard layout {config.keyboard!r}; Debian's are in console-data"
        )
    if config.timezone not in NEEDS_NO_FILE and not (root / "usr/share/zoneinfo" / config.timezone).is_file():
        problems.append(f"no package has the time zone {config.timezone!r}; they are in tzdata")
    if problems:
        raise InvalidInput(problems, "name the package in %packages, or look for a misspelling")


def write_locale(config: ImageConfig, root: Path) -> None:
    """Write language, keyboard layout, time zone and time servers."""
    write_text(root / "etc/locale.conf", f"LANG={config.language}\n")
    write_text(root / "etc/vconsole.conf", f"KEYMAP={config.keyboard}\n")
    # Debian's own links point here; without them its tools find no keyboard and no language.
    write_text(root / "etc/default/keyboard", f"XKBLAYOUT={config.keyboard}\nKEYMAP={config.keyboard}\n")
    zone = root / "etc/localtime"
    zone.unlink(missing_ok=True)
    zone.symlink_to(f"../usr/share/zoneinfo/{config.timezone}")
    write_text(root / "etc/adjtime", f"0.0 0 0.0\n0\n{'UTC' if config.utc_clock else 'LOCAL'}\n")
    directory = find_time_sources(root)
    if config.ntp_servers:
        lines = "".join(f"server {server} iburst\n" for server in config.ntp_servers)
        write_text(root / directory / "kickstart.sources", lines)


def find_time_sources(root: Path) -> str:
    """Find the folder in which chrony looks for further servers; Fedora's own file names none below /etc."""
    if (root / "etc/chrony").is_dir():
        return "etc/chrony/sources.d"
    settings = root / "etc/chrony.conf"
    if settings.is_file() and "sourcedir /etc/chrony.d" not in (text := settings.read_text()):
        (root / "etc/chrony.d").mkdir(exist_ok=True)
        write_text(
            settings, f"{text}\n# Further servers, each in a file NAME.sources\nsourcedir /etc/chrony.d\n"
        )
    return "etc/chrony.d"


def write_names(config: ImageConfig, root: Path) -> None:
    """Write the host name; `localhost` leaves it to DHCP."""
    write_text(root / "etc/hostname", f"{config.hostname or 'localhost'}\n")
    write_text(root / "etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n")


def add_accounts(groups: Sequence[Group], users: Sequence[User], root_password: str, root: Path) -> None:
    """Create groups and users with the root's own tools; an account without a password is locked."""
    for group in groups:
        number = [] if group.gid is None else ["--gid", str(group.gid)]
        _run_setting(root, ["groupadd", *number, group.name], f"group {group.name}")
    for user in users:
        _run_setting(root, useradd_argv(user), f"user {user.name}")
    passwords = [("root", root_password or "!*")] + [(user.name, user.password or "!") for user in users]
    for name, password in passwords:
        _run_setting(root, ["usermod", "--password", password, name], f"the password of {name}")


def useradd_argv(user: User) -> list[str]:
    """Build the command that creates one account."""
    argv = ["useradd", "--create-home"]
    for option, value in (
        ("--uid", user.uid),
        ("--gid", user.gid),
        ("--comment", user.gecos),
        ("--home-dir", user.home),
        ("--shell", user.shell or "/bin/bash"),
        ("--groups", ",".join(user.groups)),
    ):
        if value not in ("", None):
            argv += [option, str(value)]
    return [*argv, user.name]


def write_ssh_keys(keys: Sequence[SshKey], root: Path) -> None:
    """Write each account's authorized_keys, readable by its owner alone."""
    homes = _read_homes(root)
    for user in sorted({key.user for key in keys}):
        if user not in homes:
            raise VirtnodeError(
                Code.INVALID, f"sshkey names the user {user}, who does not exist", "add a user command"
            )
        home, uid, gid = homes[user]
        directory = root / home.lstrip("/") / ".ssh"
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        authorized = directory / "authorized_keys"
        write_text(authorized, "".join(f"{key.key}\n" for key in keys if key.user == user), 0o600)
        for path in (directory, authorized):
            shutil.chown(path, uid, gid)


def write_network(config: ImageConfig, root: Path) -> None:
    """Write systemd-networkd's units, and let resolved answer for names."""
    for name, text in network_units(config.networks).items():
        write_text(root / "etc/systemd/network" / name, text)
    resolv = root / "etc/resolv.conf"
    resolv.unlink(missing_ok=True)
    resolv.symlink_to("../run/systemd/resolve/stub-resolv.conf")


def write_selinux(mode: Selinux, root: Path) -> None:
    """Set SELinux's mode where the distribution has it."""
    if (root / "etc/selinux/targeted").is_dir():
        write_text(root / "etc/selinux/config", f"SELINUX={mode}\nSELINUXTYPE=targeted\n")


def choose_services(config: ImageConfig, root: Path) -> None:
    """Enable what the presets and the kickstart name, and nothing else."""
    lines = [f"enable {_unit(name)}" for name in config.services_enabled]
    lines += [f"disable {_unit(name)}" for name in config.services_disabled]
    if not config.firewall.enabled:
        lines.append("disable nftables.service")
    write_text(root / "etc/systemd/system-preset/00-kickstart.preset", "".join(f"{line}\n" for line in lines))
    for links in (root / "etc/systemd/system").glob("*.wants"):
        shutil.rmtree(links)
    run_in_root(root, ["systemctl", "preset-all", "--preset-mode=full"])
    # A unit may enable others along with itself (Also=), whatever their own preset says.
    for name in config.services_disabled:
        run_in_root(root, ["systemctl", "disable", _unit(name)], check=False)
    target = root / "etc/systemd/system/default.target"
    target.unlink(missing_ok=True)
    target.symlink_to("/usr/lib/systemd/system/multi-user.target")


def _unit(name: str) -> str:
    return name if "." in name else f"{name}.service"


def _read_homes(root: Path) -> dict[str, tuple[str, int, int]]:
    rows = (line.split(":") for line in (root / "etc/passwd").read_text().splitlines())
    return {row[0]: (row[5], int(row[2]), int(row[3])) for row in rows}


def _run_setting(root: Path, argv: list[str], what: str) -> None:
    result = run_in_root(root, argv, check=False)
    if result.status != 0:
        raise VirtnodeError(
            Code.INVALID, f"{what}: {result.stderr.strip()}", "look at the kickstart's line for it"
        )
