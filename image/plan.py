"""The plan: everything a build will do, resolved before it does anything."""

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path

from image.bases import Base, RepositoryState, Sources
from image.bases.debian import Debian
from image.bases.fedora import Fedora
from image.config import ImageConfig, Origin, PublicKey, config_as_json
from image.drivers import DriverGroup, check_driver_names, load_driver_groups
from image.kickstart import load_kickstart
from image.signing import read_public_key
from image.template import Rule, load_template
from nodelib.errors import Code, InvalidInput, VirtnodeError
from nodelib.run import run

PRODUCT = "virtnode"
CODE = Path(__file__).parent
CHECKOUT = CODE.parent
DRIVER_GROUPS = CHECKOUT / "kickstarts/drivers.toml"
MEDIA = ("iso", "pxe", "disk", "update")
DEFAULT_MEDIA = ("iso", "pxe", "disk")
"""What a build makes unless it is told: an update bundle has the size of an ISO, and is for running nodes."""
LATEST_EPOCH = 2**32 - 1

BASES: dict[str, Base] = {"debian": Debian(), "fedora": Fedora()}


class Profile(StrEnum):
    """How hard to compress: for a person who waits, or for a medium that is small."""

    DEV = "dev"
    RELEASE = "release"


@dataclass(frozen=True)
class Options:
    """What the command line asks of a build, beside the kickstart."""

    out: Path
    profile: Profile = Profile.RELEASE
    media: tuple[str, ...] = DEFAULT_MEDIA
    sources: Sources = field(default_factory=Sources)
    size_budget: int | None = None
    """The ISO's bound in bytes; the kickstart's when None."""
    pxe_url: str = ""
    assembler: str = "virtnode"
    update_keys: tuple[Path, ...] = ()
    """Public keys to trust beside those of the kickstart."""
    sign_keys: tuple[Path, ...] = ()
    """Private keys that sign the update bundle; they shape nothing else."""


@dataclass(frozen=True)
class ImagePlan:
    """A build, resolved: the kickstart, the repositories as they are now, and every rule that applies."""

    config: ImageConfig
    profile: Profile
    media: tuple[str, ...]
    version: str
    architecture: str
    epoch: int
    repositories: tuple[RepositoryState, ...]
    keys: tuple[str, ...]
    """Digests of the key files that the kickstart trusts."""
    drivers: tuple[DriverGroup, ...]
    rules: tuple[Rule, ...]
    size_budget: int | None
    pxe_url: str
    assembler: str = "virtnode"
    """Who makes the media, and runs the trim templates: we, or lorax."""
    update_keys: tuple[PublicKey, ...] = ()
    """Whose updates nodes take: the kickstart's keys and those of the command line, by name."""

    @property
    def base(self) -> Base:
        """The base that the kickstart names."""
        return BASES[self.config.base]

    @property
    def name(self) -> str:
        """What the artefacts' names begin with."""
        return f"{PRODUCT}-{self.version}-{self.architecture}"

    @property
    def id(self) -> str:
        """A digest of everything that shapes the image: equal plans make equal images."""
        return digest([self.as_json(), code_digest(CODE), programs_digest()])

    @property
    def build_id(self) -> str:
        """What tells two builds of a version apart, on a node that runs."""
        return self.id[:16]

    @property
    def label(self) -> str:
        """The ISO's volume label, one for each plan, so that a medium never boots another's root."""
        return f"VIRTNODE-{self.id[:8].upper()}"

    def as_json(self) -> dict[str, object]:
        """Say the plan in JSON's types, without the paths of this machine and without passwords."""
        return {
            "product": PRODUCT,
            "version": self.version,
            "architecture": self.architecture,
            "profile": str(self.profile),
            "media": list(self.media),
            "source_date_epoch": self.epoch,
            "repositories": {state.name: state.digest for state in self.repositories},
            "size_budget": self.size_budget,
            "kickstart": {**settings_as_json(self.config), "gpg_keys": list(self.keys)},
            "drivers": [{"group": group.name, "modules": list(group.patterns)} for group in self.drivers],
            "trim": [f"-{rule}" if rule.tolerant else str(rule) for rule in self.rules],
            "pxe_url": self.pxe_url,
            "assembler": self.assembler,
            "update_keys": {key.name: key.identifier for key in self.update_keys},
        }


def make_plan(kickstart: Path, options: Options) -> ImagePlan:
    """Resolve a kickstart and the command line into a plan; every problem found is reported at once."""
    config = check_kickstart(kickstart)
    epoch = find_epoch(kickstart)
    groups = load_driver_groups(DRIVER_GROUPS)
    architecture = platform.machine()
    if architecture != "x86_64":
        raise VirtnodeError(Code.UNAVAILABLE, f"nodes are x86_64, and this machine is {architecture}")
    return ImagePlan(
        config=config,
        profile=options.profile,
        media=options.media,
        version=version(PRODUCT),
        architecture=architecture,
        epoch=epoch,
        repositories=BASES[config.base].read_repositories(config, options.sources),
        keys=tuple(hashlib.sha256(Path(key).read_bytes()).hexdigest() for key in config.gpg_keys),
        drivers=tuple(groups[name] for name in config.trim.keep_drivers or groups),
        rules=load_rules(config),
        size_budget=find_size_budget(config, options),
        pxe_url=options.pxe_url.rstrip("/"),
        assembler=options.assembler,
        update_keys=find_update_keys(config, options),
    )


def check_kickstart(kickstart: Path) -> ImageConfig:
    """Read a kickstart and its trim templates without asking any repository."""
    config = load_kickstart(kickstart)
    problems: list[str] = []
    hints: list[str] = []
    groups = load_driver_groups(DRIVER_GROUPS)
    for check in (lambda: check_driver_names(config.trim.keep_drivers, groups), lambda: load_rules(config)):
        try:
            check()
        except InvalidInput as error:
            problems += error.problems
            hints += [error.hint] if error.hint else []
    if problems:
        raise InvalidInput(problems, "; ".join(hints))
    return config


def load_rules(config: ImageConfig) -> tuple[Rule, ...]:
    """Read every trim template that the kickstart names; all their problems are reported at once."""
    rules: list[Rule] = []
    problems: list[str] = []
    for template in config.trim.templates:
        try:
            rules += load_template(template, template_variables(config))
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    return (*rules, *drop_rules(config))


def template_variables(config: ImageConfig) -> dict[str, str]:
    """Name what a trim template may ask for."""
    return {"basearch": "x86_64", "libdir": "lib64", "product": PRODUCT, "version": config.suite}


def drop_rules(config: ImageConfig) -> tuple[Rule, ...]:
    """Make rules of what the kickstart itself says to drop."""
    origin = Origin(config.source, 0)
    drops = (("removepkg", config.trim.drop_packages), ("remove", config.trim.drop_paths))
    return tuple(Rule(origin, command, (argument,)) for command, arguments in drops for argument in arguments)


def find_size_budget(config: ImageConfig, options: Options) -> int | None:
    """Take the command line's budget; the kickstart's is of a release, for quick compression saves less."""
    if options.size_budget is not None:
        return options.size_budget
    return config.size_budget if options.profile is Profile.RELEASE else None


def find_update_keys(config: ImageConfig, options: Options) -> tuple[PublicKey, ...]:
    """Join the kickstart's keys and the command line's; raises VirtnodeError for two of one name."""
    keys = {key.name: key for key in config.update_keys}
    for key in (read_public_key(path) for path in options.update_keys):
        if keys.setdefault(key.name, key) != key:
            message = f"there are two different update keys that are called {key.name}"
            raise VirtnodeError(Code.INVALID, message, "call one of the files otherwise")
    return tuple(keys[name] for name in sorted(keys))


def find_epoch(kickstart: Path, environment: Mapping[str, str] = os.environ) -> int:
    """Choose the time every file shows: SOURCE_DATE_EPOCH, else the last commit's, else the kickstart's."""
    asked = environment.get("SOURCE_DATE_EPOCH")
    if asked is not None:
        # 32 bits without a sign are what squashfs has for a time.
        if not asked.isdecimal() or int(asked) > LATEST_EPOCH:
            raise InvalidInput(
                [f"SOURCE_DATE_EPOCH is {asked!r}, and must be whole seconds since 1970"],
                "as date +%s prints them",
            )
        return int(asked)
    committed = run(["git", "-C", CHECKOUT, "log", "-1", "--format=%ct"], check=False) if _has_git() else None
    if committed and committed.status == 0 and committed.stdout.strip():
        return int(committed.stdout)
    return int(kickstart.stat().st_mtime)


def _has_git() -> bool:
    return (CHECKOUT / ".git").exists()


def settings_as_json(config: ImageConfig) -> dict[str, object]:
    """Say the kickstart's settings without what belongs to this machine; passwords become digests."""
    settings = config_as_json(config)
    for elsewhere in ("source", "update_keys"):
        del settings[elsewhere]
    text = json.dumps(settings, sort_keys=True)
    document: dict[str, object] = json.loads(text)
    _hide_secrets(document)
    return document


def _hide_secrets(value: object) -> None:
    if isinstance(value, dict):
        value.pop("origin", None)
        value.pop("templates", None)
        for key in ("root_password", "password"):
            if value.get(key):
                value[key] = f"sha256:{hashlib.sha256(str(value[key]).encode()).hexdigest()}"
        for child in value.values():
            _hide_secrets(child)
    elif isinstance(value, list):
        for child in value:
            _hide_secrets(child)


def digest(values: object) -> str:
    """Digest JSON's types, the same for the same values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def code_digest(folder: Path, names: Sequence[str] = ("**/*",)) -> str:
    """Digest the files of a folder that the patterns match: their paths and contents."""
    return files_digest(folder, {path for name in names for path in folder.glob(name)})


def programs_digest() -> str:
    """Digest the node's own programs."""
    return digest([code_digest(CHECKOUT / name) for name in ("nodelib", "nodeagent")])


def files_digest(folder: Path, paths: Iterable[Path]) -> str:
    """Digest files by their path below `folder` and their content, compiled Python aside."""
    sums = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
        if path.is_file() and path.suffix != ".pyc"
    }
    return digest(sums)
