"""The Fedora base against real dnf, real rpm and real signatures; only the packages are fakes."""

import contextlib
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from image.bases import Sources
from image.bases.dnf import Dnf, install_words, parse_major_version, prepare_dnf, run_dnf
from image.bases.fedora import Fedora
from image.config import ImageConfig, Packages, Repository
from image.kickstart import load_kickstart
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run
from tests.image.bases.rpms import (
    FakePackage,
    SigningKey,
    index_repository,
    make_repository,
    make_signing_key,
    shell_package,
)

pytestmark = pytest.mark.integration

CHECKOUT = Path(__file__).parents[3]
REAL_METADATA = CHECKOUT.parent / "shared/repodata"
DOC = "/usr/share/doc/chrony/README"
GERMAN = "/usr/share/locale/de/LC_MESSAGES/chrony.mo"
FRENCH = "/usr/share/locale/fr/LC_MESSAGES/chrony.mo"

SEES_PROC_AND_DEV = (
    "echo > /run/left && [ -r /proc/self/status ] && [ -c /dev/null ] && echo seen > /var/lib/seen"
)
GOOD = (
    FakePackage("filesystem", directories=("/proc", "/dev", "/sys", "/boot", "/usr/bin", "/var/lib")),
    FakePackage(
        "kernel-core",
        epoch=3,
        licence="GPL-2.0-only",
        requires=("filesystem", "/bin/sh"),
        recommends=("linux-firmware",),
        files={"/boot/vmlinuz-6.17": "kernel"},
        scriptlets={"post": SEES_PROC_AND_DEV},
    ),
    FakePackage("linux-firmware", files={"/usr/lib/firmware/a.bin": "firmware"}),
    FakePackage(
        "chrony",
        files={"/usr/bin/chronyc": "program", DOC: "documentation", GERMAN: "de", FRENCH: "fr"},
        docs=(DOC,),
        languages={GERMAN: "de", FRENCH: "fr"},
    ),
    FakePackage("needy", requires=("libabsent.so.1",)),
    FakePackage("bulky", files={"/usr/bin/bulky": "x" * 20_000_000}),
    FakePackage("fails-before", requires=("/bin/sh",), scriptlets={"pre": "echo not today; exit 4"}),
    FakePackage("fails-after", requires=("/bin/sh",), scriptlets={"post": "echo not today; exit 5"}),
    FakePackage("fails-last", requires=("/bin/sh",), scriptlets={"posttrans": "echo not today; exit 6"}),
    FakePackage(
        "waits",
        requires=("filesystem", "/bin/sh"),
        scriptlets={"post": "echo > /var/lib/here; read x < /var/lib/fifo"},
    ),
)
BOOT = (
    FakePackage(
        "shim-x64",
        files={
            "/boot/efi/EFI/BOOT/BOOTX64.EFI": "shim",
            "/boot/efi/EFI/fedora/shimx64.efi": "shim",
            "/boot/efi/EFI/fedora/mmx64.efi": "mok manager",
        },
    ),
    FakePackage(
        "grub2-efi-x64",
        requires=("grub2-tools",),
        files={"/usr/lib/efi/grub2/1:1/EFI/fedora/grubx64.efi": "disk"},
    ),
    FakePackage("grub2-efi-x64-cdboot", files={"/usr/lib/efi/grub2/1:1/EFI/fedora/gcdx64.efi": "removable"}),
    FakePackage("grub2-pc-modules", files={"/usr/lib/grub/i386-pc/boot.img": "bios"}),
)


@dataclass(frozen=True)
class World:
    """Repositories below one directory, and the key that the good one is signed with."""

    directory: Path
    key: SigningKey

    def config(self, *install: str, repositories: tuple[str, ...] = ("good",), **rest: object) -> ImageConfig:
        """Describe an image installed from some of the repositories; `rest` goes into %packages."""
        named = tuple(Repository(name, baseurl=(self.directory / name).as_uri()) for name in repositories)
        return ImageConfig(
            source=Path("node.ks"),
            base="fedora",
            suite="43",
            gpg_keys=(str(self.key.public),),
            repositories=named,
            packages=replace(Packages(install=install), **rest),  # type: ignore[arg-type]
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Good, unsigned, foreign and tampered repositories."""
    directory = tmp_path_factory.mktemp("rpm")
    with make_signing_key(directory) as key, make_signing_key(directory, "stranger") as stranger:
        make_repository(directory / "good", [*GOOD, shell_package()], key)
        make_repository(directory / "boot", BOOT, key)
        make_repository(directory / "unsigned", [FakePackage("plain")], None)
        make_repository(directory / "foreign", [FakePackage("foreign")], stranger)
        altered = make_repository(directory / "altered", [FakePackage("altered", files={"/a": "a"})], key)
        package = next(altered.glob("*.rpm"))
        content = bytearray(package.read_bytes())
        content[-1] ^= 1
        package.write_bytes(content)
        shutil.copytree(altered, directory / "altered-and-indexed")
        index_repository(directory / "altered-and-indexed")
        yield World(directory, key)


@pytest.fixture(params=[4, 5], ids=["dnf4", "dnf5"])
def dnf(request: pytest.FixtureRequest) -> Dnf:
    """Find the host's dnf of one major version."""
    for program in ("dnf-3", "dnf5", "dnf"):
        if shutil.which(program) and parse_major_version(run([program, "--version"]).stdout) == request.param:
            return Dnf(program, request.param)
    pytest.skip(f"this host has no dnf {request.param}")


@pytest.fixture
def fedora(dnf: Dnf) -> Fedora:
    """Make the base under test."""
    return Fedora(dnf)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make an empty root."""
    directory = tmp_path / "root"
    directory.mkdir()
    return directory


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """Keep a cache of the test's own."""
    return Sources(cache=tmp_path / "cache")


def install(fedora: Fedora, config: ImageConfig, sources: Sources, root: Path) -> list[str]:
    """Install, check that no mount is left, and return the lines that were reported."""
    lines: list[str] = []
    try:
        fedora.install(config, sources, root, lines.append)
    finally:
        assert mounts_below(root) == []
    return lines


def mounts_below(directory: Path) -> list[str]:
    """List the mounted file systems below a directory."""
    return [line for line in Path("/proc/mounts").read_text().splitlines() if f" {directory}/" in line]


def names(fedora: Fedora, root: Path) -> list[str]:
    """List the names of the packages installed in a root."""
    return [package.name for package in fedora.list_packages(root)]


def test_installs_signed_packages(fedora: Fedora, world: World, sources: Sources, root: Path) -> None:
    """Signed packages are installed with what they need, and their scriptlets see /proc and /dev."""
    lines = install(fedora, world.config("kernel-core"), sources, root)
    assert names(fedora, root) == ["bash", "filesystem", "kernel-core", "linux-firmware"]
    assert (root / "var/lib/seen").read_text() == "seen\n"
    assert list((root / "proc").iterdir()) == []
    assert list((root / "dev").iterdir()) == []
    assert list((root / "run").iterdir()) == []
    assert any("kernel-core" in line for line in lines)


def test_lists_packages_with_their_files(fedora: Fedora, world: World, sources: Sources, root: Path) -> None:
    """Version with epoch, licence, source and the files come from the root's own rpm database."""
    install(fedora, world.config("kernel-core"), sources, root)
    kernel = next(package for package in fedora.list_packages(root) if package.name == "kernel-core")
    assert kernel.version == "3:1.0-1.fc43"
    assert kernel.architecture == "noarch"
    assert kernel.licence == "GPL-2.0-only"
    assert kernel.source == "kernel-core 1.0-1.fc43"
    assert kernel.files == ("/boot/vmlinuz-6.17",)


def test_weak_dependencies_can_be_left_out(
    fedora: Fedora, world: World, sources: Sources, root: Path
) -> None:
    """--exclude-weakdeps keeps recommended packages out."""
    install(fedora, world.config("kernel-core", exclude_weakdeps=True), sources, root)
    assert "linux-firmware" not in names(fedora, root)


def test_excluded_packages_stay_out(fedora: Fedora, world: World, sources: Sources, root: Path) -> None:
    """A package after a minus sign is not pulled in by another."""
    install(fedora, world.config("kernel-core", exclude=("linux-*",)), sources, root)
    assert "linux-firmware" not in names(fedora, root)


def test_documentation_can_be_left_out(fedora: Fedora, world: World, sources: Sources, root: Path) -> None:
    """--exclude-docs leaves documentation out of the tree and of the list of files."""
    install(fedora, world.config("chrony", exclude_docs=True), sources, root)
    assert not (root / DOC[1:]).exists()
    assert fedora.list_packages(root)[0].files == ("/usr/bin/chronyc", GERMAN, FRENCH)


@pytest.mark.parametrize(
    ("languages", "kept"),
    [(None, [GERMAN, FRENCH]), (("de",), [GERMAN]), ((), [])],
    ids=["all", "one", "none"],
)
def test_only_wanted_languages_are_installed(
    fedora: Fedora,
    world: World,
    sources: Sources,
    root: Path,
    languages: tuple[str, ...] | None,
    kept: list[str],
) -> None:
    """--inst-langs decides which translations are there."""
    install(fedora, world.config("chrony", languages=languages), sources, root)
    assert [path for path in (GERMAN, FRENCH) if (root / path[1:]).exists()] == kept


@pytest.mark.parametrize(
    ("package", "repository", "message"),
    [
        ("plain", "unsigned", "not signed: plain-1.0-1.fc43.noarch"),
        ("foreign", "foreign", "signed with a key that is not trusted: foreign-1.0-1.fc43.noarch"),
        ("altered", "altered", "damaged or altered after signing: altered-1.0-1.fc43.noarch"),
        ("altered", "altered-and-indexed", "damaged or altered after signing: altered-1.0-1.fc43.noarch"),
    ],
)
def test_refuses_what_is_not_properly_signed(
    fedora: Fedora, world: World, sources: Sources, root: Path, package: str, repository: str, message: str
) -> None:
    """An unsigned, foreign or altered package stops the installation and is named."""
    with pytest.raises(VirtnodeError) as caught:
        install(fedora, world.config(package, repositories=(repository,)), sources, root)
    assert (caught.value.code, caught.value.message) == (Code.DENIED, message)
    assert caught.value.hint
    assert names(fedora, root) == []


@pytest.mark.parametrize(
    ("package", "code", "message"),
    [
        ("kernel-cor", Code.INVALID, "no such package: kernel-cor (there is kernel-core)"),
        (
            "needy",
            Code.NOT_FOUND,
            "the packages do not fit together: nothing provides libabsent.so.1 needed by needy-",
        ),
    ],
)
def test_names_what_cannot_be_solved(
    fedora: Fedora, world: World, sources: Sources, root: Path, package: str, code: Code, message: str
) -> None:
    """A misspelt name comes with the nearest one, an absent dependency with who needs it."""
    with pytest.raises(VirtnodeError) as caught:
        install(fedora, world.config(package), sources, root)
    assert caught.value.code is code
    assert caught.value.message.startswith(message)


def test_names_an_unknown_group(fedora: Fedora, world: World, sources: Sources, root: Path) -> None:
    """A group that no repository describes is named."""
    with pytest.raises(VirtnodeError, match="no such package: core") as caught:
        install(fedora, world.config("chrony", groups=("core",)), sources, root)
    assert caught.value.code is Code.INVALID


def test_says_when_a_package_is_asked_for_and_excluded(
    fedora: Fedora, world: World, sources: Sources, root: Path
) -> None:
    """A package on both sides of %packages is a mistake, not a silent choice."""
    with pytest.raises(VirtnodeError, match="both asked for and excluded: chrony") as caught:
        install(fedora, world.config("chrony", exclude=("chrony",)), sources, root)
    assert caught.value.code is Code.INVALID


def test_an_unreachable_repository_stops_everything(
    fedora: Fedora, world: World, sources: Sources, root: Path
) -> None:
    """A repository that does not answer is never skipped, even where another would do."""
    with pytest.raises(VirtnodeError, match="repository gone cannot be read") as caught:
        install(fedora, world.config("chrony", repositories=("good", "gone")), sources, root)
    assert caught.value.code is Code.UNAVAILABLE


@pytest.mark.parametrize(
    ("package", "place"), [("fails-before", "pre"), ("fails-after", "post"), ("fails-last", "posttrans")]
)
def test_a_failing_scriptlet_raises(
    fedora: Fedora, world: World, sources: Sources, root: Path, package: str, place: str
) -> None:
    """A scriptlet's failure counts although dnf 4 ends with status 0, and its last words are kept."""
    with pytest.raises(VirtnodeError, match=rf"scriptlet failed: %{place}\w* of {package}-1.0") as caught:
        install(fedora, world.config(package), sources, root)
    assert "not today" in caught.value.hint


def test_a_full_disk_is_one_clear_line(fedora: Fedora, world: World, sources: Sources, root: Path) -> None:
    """Too little room is said as such, before anything is installed."""
    run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", root])
    try:
        with pytest.raises(VirtnodeError, match=r"the disk is full: .* more needed"):
            install(fedora, world.config("bulky"), sources, root)
    finally:
        run(["umount", root])


def test_an_interruption_leaves_nothing(dnf: Dnf, world: World, sources: Sources, root: Path) -> None:
    """Ctrl-C in the middle of a scriptlet ends dnf, the scriptlet and every mount."""
    (root / "var/lib").mkdir(parents=True)
    os.mkfifo(root / "var/lib/fifo")
    interrupter = threading.Thread(target=interrupt_when, args=(lambda: (root / "var/lib/here").exists(),))
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupter.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            install(Fedora(dnf), world.config("waits"), sources, root)
    finally:
        interrupter.join()
        signal.signal(signal.SIGINT, previous)
    wait_for(lambda: not commands_about(root))


def commands_about(directory: Path) -> list[str]:
    """List the running commands that name a directory."""
    commands = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            commands.append(path.read_text())
    return [command for command in commands if str(directory) in command]


def interrupt_when(condition: Callable[[], bool]) -> None:
    """Press Ctrl-C once something is true."""
    wait_for(condition)
    os.kill(os.getpid(), signal.SIGINT)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something is true, a minute at most."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_nothing_of_the_host_is_read_or_written(
    fedora: Fedora, world: World, sources: Sources, root: Path, tmp_path: Path
) -> None:
    """The root holds no log, cache or configuration of the dnf that made it."""
    install(fedora, world.config("chrony"), sources, root)
    left = [
        path
        for path in root.rglob("*")
        if path.is_file() and path.stat().st_size and "dnf" in str(path.relative_to(root))
    ]
    assert all(path.is_relative_to(root / "usr/lib/sysimage/libdnf5") for path in left)
    assert not (root / "var/cache").exists()
    assert (sources.cache / "dnf").is_dir()


def test_boot_files_are_unpacked_and_not_installed(
    fedora: Fedora, world: World, sources: Sources, root: Path, tmp_path: Path
) -> None:
    """The signed loaders are found by content of the packages, in the old and in the new layout."""
    config = world.config("chrony", repositories=("good", "boot"), exclude=("grub2*", "shim*"))
    install(fedora, config, sources, root)
    found = fedora.fetch_boot_files(config, sources, root, tmp_path / "boot")
    assert found.shim.read_text() == "shim"
    assert found.mok_manager.read_text() == "mok manager"
    assert found.grub_removable.read_text() == "removable"
    assert found.grub_network.read_text() == found.grub_disk.read_text() == "disk"
    assert found.vendor == "fedora"
    assert [path.name for path in found.grub_bios.iterdir()] == ["boot.img"]
    assert [package.name for package in found.packages] == sorted(package.name for package in BOOT)
    assert names(fedora, root) == ["chrony"]


def test_boot_packages_must_be_signed(
    fedora: Fedora, world: World, sources: Sources, root: Path, tmp_path: Path
) -> None:
    """A boot loader signed by anybody else is refused."""
    install(fedora, world.config("chrony"), sources, root)
    stranger = world.directory / "RPM-GPG-KEY-stranger"
    config = replace(world.config(repositories=("boot",)), gpg_keys=(str(stranger),))
    with pytest.raises(VirtnodeError, match="the boot packages cannot be unpacked"):
        fedora.fetch_boot_files(config, sources, root, tmp_path / "boot")


def test_absent_boot_packages_are_named(
    fedora: Fedora, world: World, sources: Sources, root: Path, tmp_path: Path
) -> None:
    """Repositories without boot loaders cannot make a bootable image, and it says which are absent."""
    with pytest.raises(VirtnodeError, match="the repositories offer no shim-x64, grub2-efi-x64") as caught:
        fedora.fetch_boot_files(world.config(), sources, root, tmp_path / "boot")
    assert caught.value.code is Code.NOT_FOUND


# What the metadata's two dates leave open, as the solver's own messages name it.
ELEVEN_NAMES = (
    "libnuma.so.1(libnuma_1.6)(64bit)",
    "libgnutls.so.30(GNUTLS_3_7_4)(64bit)",
    "gnutls(x86-64) = 3.8.3-4.el9",
    "selinux-policy = 38.1.41-1.el9",
    "selinux-policy-base = 38.1.41-1.el9",
    "policycoreutils = 3.6-2.1.el9",
    "libsemanage.so.2(LIBSEMANAGE_3.4)(64bit)",
    "libsemanage(x86-64) = 3.6-3.el9",
    "libselinux.so.1(LIBSELINUX_3.5)(64bit)",
    "libselinux(x86-64) = 3.6-2.el9",
    "audit-libs(x86-64) = 3.1.5-1.el9",
)
NODE = (
    "systemd",
    "kernel-core",
    "qemu-kvm-core",
    "libvirt-daemon-driver-qemu",
    "libvirt-daemon-config-network",
)


# The same for the whole kickstart: two packages of one more date, and what only Fedora has by that name.
TWO_NAMES = ("dracut = 057-79.git20241127.el9", "dracut-network = 057-79.git20241127.el9")
FEDORAS_OWN = ("fedora-release", "systemd-networkd")
TOO_NEW = ("rsyslog",)
"""The metadata's own conflicts with the SELinux policy that it has."""
UNWANTED = ("glibc-all-langpacks", "libvirt-daemon-kvm", "perl-libs", "qemu-kvm", "dnf")
"""NetworkManager is not among them: dracut-network of that time asks for it, or for dhclient."""

needs_real_metadata = pytest.mark.skipif(
    not REAL_METADATA.is_dir(), reason=f"{REAL_METADATA} with real metadata is not here"
)


def solve(
    dnf: Dnf, world: World, sources: Sources, root: Path, packages: Packages, *fillers: FakePackage
) -> list[str]:
    """Name what dnf would install from CentOS Stream 9, with `fillers` for what its dates leave open."""
    filler = root.parent / "filler"
    make_repository(filler, fillers, world.key)
    baseos, appstream = (
        Repository(name, baseurl=(REAL_METADATA / name).as_uri()) for name in ("baseos", "appstream")
    )
    repositories = [baseos, appstream, Repository("filler", baseurl=filler.as_uri())]
    with prepare_dnf(
        dnf, packages, repositories, [world.key.public], cache=sources.cache, releasever="9"
    ) as setup:
        said = run_dnf(setup, root, [*install_words(packages), "--assumeno"], lambda line: None).stderr
    count = re.search(r"Install(?:ing:)?\s+(\d+) [Pp]ackages", said)
    assert count is not None, said
    solved = [line.split()[0] for line in said.splitlines() if re.search(r"\s(x86_64|noarch)\s", line)]
    assert len(solved) == int(count[1])
    return solved


@needs_real_metadata
def test_solves_a_node_on_real_metadata(dnf: Dnf, world: World, sources: Sources, root: Path) -> None:
    """A KVM node solves to the known 204 packages on metadata of CentOS Stream 9."""
    packages = Packages(install=NODE, exclude_weakdeps=True)
    solved = solve(dnf, world, sources, root, packages, FakePackage("filler", provides=ELEVEN_NAMES))
    assert len(solved) == 204
    assert {*NODE, "filler", "libvirt-libs", "seabios-bin", "linux-firmware", "glibc"} <= set(solved)


@needs_real_metadata
def test_every_name_of_the_shipped_kickstart_is_known_to_real_metadata(
    dnf: Dnf, world: World, sources: Sources, root: Path
) -> None:
    """Its packages, and what they need, solve on CentOS Stream 9; two of the names are Fedora's alone."""
    packages = load_kickstart(CHECKOUT / "kickstarts/node-fedora.ks").packages
    fillers = [FakePackage("filler", provides=(*ELEVEN_NAMES, *TWO_NAMES))]
    fillers += [FakePackage(name, version="43") for name in (*FEDORAS_OWN, *TOO_NEW)]
    # Of the later date as well, it replaces the earlier systemd-udev.
    packages = replace(packages, exclude=("systemd-boot-unsigned",))
    solved = set(solve(dnf, world, sources, root, packages, *fillers))
    assert set(packages.install) <= solved
    assert not solved & set(UNWANTED)
