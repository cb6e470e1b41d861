"""The configuration while a kickstart is read: what was said so far, where, and what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from image.config import (
    Firewall,
    Group,
    ImageConfig,
    Network,
    Origin,
    Packages,
    Partition,
    PublicKey,
    Repository,
    Script,
    Selinux,
    SshKey,
    Trim,
    User,
)
from image.kickstart_text import Problems

THE_DISK, ERASES, ENDS = "the disk to install to", "clearpart --all", "what an installation ends with"
"""What the commands about installations say once."""


def merged(known: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """Return both lists as one, in order, each entry once."""
    return tuple(dict.fromkeys((*known, *more)))


@dataclass(frozen=True)
class Arguments:
    """One command's arguments: the options as written, and the values pykickstart took from them."""

    options: frozenset[str]
    values: Mapping[str, object]

    def text(self, name: str) -> str:
        """Return an option's text; empty when it was not given."""
        value = self.values.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int | None:
        """Return an option's number, or None when it was not given."""
        value = self.values.get(name)
        return value if isinstance(value, int) else None

    def is_set(self, name: str) -> bool:
        """Tell whether a switch is on."""
        return bool(self.values.get(name))

    def texts(self, name: str) -> tuple[str, ...]:
        """Return an option's list; empty when it was not given."""
        value = self.values.get(name)
        return tuple(str(item) for item in value) if isinstance(value, (list, tuple)) else ()


@dataclass
class Draft:
    """What a kickstart said so far; commands and sections add to it, `finish` makes the frozen form."""

    source: Path
    problems: Problems
    packages: Packages = field(default_factory=Packages)
    trim: Trim = field(default_factory=Trim)
    gpg_keys: list[str] = field(default_factory=list)
    update_keys: list[PublicKey] = field(default_factory=list)
    config_keys: list[PublicKey] = field(default_factory=list)
    repositories: list[Repository] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    users: list[User] = field(default_factory=list)
    ssh_keys: list[SshKey] = field(default_factory=list)
    networks: list[Network] = field(default_factory=list)
    firewall: Firewall = field(default_factory=Firewall)
    services_enabled: list[str] = field(default_factory=list)
    services_disabled: list[str] = field(default_factory=list)
    kernel_arguments: list[str] = field(default_factory=list)
    ntp_servers: list[str] = field(default_factory=list)
    partitions: list[Partition] = field(default_factory=list)
    post_scripts: list[Script] = field(default_factory=list)
    only_on_fedora: list[tuple[Origin, str]] = field(default_factory=list)
    """What was asked that Debian has no word for, and where."""
    places: dict[tuple[str, str], Origin] = field(default_factory=dict)
    """Where each named thing (kind and name) was said first."""
    _settings: dict[str, tuple[object, Origin]] = field(default_factory=dict)

    def set_once(self, origin: Origin, what: str, value: object) -> None:
        """Remember a value that may be said again, but only the same; the message never shows the value."""
        known, first = self._settings.setdefault(what, (value, origin))
        if known != value:
            self.problems.add(origin, f"{what} is also given, differently, at {first}", "give it once")

    def add_name(self, origin: Origin, kind: str, name: str) -> bool:
        """Remember a name that may be given once; False, and a problem, when it was given before."""
        first = self.places.setdefault((kind, name), origin)
        if first is not origin:
            self.problems.add(origin, f"{kind} {name} is already given at {first}", "give it once")
        return first is origin

    def place_of(self, kind: str, name: str) -> Origin:
        """Return where something was said, or the kickstart's first line when it was not."""
        return self.places.get((kind, name), Origin(self.source, 1))

    def setting(self, what: str) -> tuple[object, Origin] | None:
        """Return a value given with `set_once` and its place, or None."""
        return self._settings.get(what)

    def text(self, what: str, default: str = "") -> str:
        """Return a text given with `set_once`."""
        known = self._settings.get(what)
        return str(known[0]) if known else default

    def number(self, what: str) -> int | None:
        """Return a number given with `set_once`, or None."""
        known = self._settings.get(what)
        return known[0] if known and isinstance(known[0], int) else None

    def finish(self) -> ImageConfig:
        """Return the frozen configuration."""
        url = self.setting("url")
        clock = self.setting("timezone --utc")
        timeout = self.number("bootloader --timeout")
        return ImageConfig(
            source=self.source,
            base=self.text("base"),
            suite=self.text("suite"),
            size_budget=self.number("size-budget"),
            gpg_keys=tuple(self.gpg_keys),
            update_keys=tuple(self.update_keys),
            config_keys=tuple(self.config_keys),
            trim=self.trim,
            url=url[0] if url and isinstance(url[0], Repository) else None,
            repositories=tuple(self.repositories),
            packages=self.packages,
            language=self.text("lang", ImageConfig.language),
            keyboard=self.text("keyboard", ImageConfig.keyboard),
            timezone=self.text("timezone", ImageConfig.timezone),
            utc_clock=bool(clock[0]) if clock else ImageConfig.utc_clock,
            ntp_servers=tuple(self.ntp_servers),
            hostname=self.text("network --hostname"),
            root_password=self.text("rootpw"),
            groups=tuple(self.groups),
            users=tuple(self.users),
            ssh_keys=tuple(self.ssh_keys),
            networks=tuple(self.networks),
            firewall=self.firewall,
            selinux=Selinux(self.text("selinux", ImageConfig.selinux)),
            services_enabled=tuple(self.services_enabled),
            services_disabled=tuple(self.services_disabled),
            kernel_arguments=tuple(self.kernel_arguments),
            boot_timeout=ImageConfig.boot_timeout if timeout is None else timeout,
            partitions=tuple(self.partitions),
            thin_pool=self.setting("logvol --thinpool") is not None,
            install_disk=self.text(THE_DISK),
            install_erases=self.setting(ERASES) is not None,
            install_ends=self.text(ENDS),
            post_scripts=tuple(self.post_scripts),
        )
