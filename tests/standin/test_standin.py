"""RPM stand-in (Debian content): a small closure goes the way that Fedora's packages go."""

import stat
from pathlib import Path

import pytest

from image.bases import Sources
from image.bases.fedora import Fedora
from image.chroot import run_in_root
from image.config import ImageConfig, Packages, Repository
from image.kickstart import load_kickstart
from nodelib.errors import Code, VirtnodeError
from tests.standin.kickstart import make_standin_kickstart, read_package_names
from tests.standin.repository import BOOT_PACKAGES, CONFIGURE, LABEL, Standin, make_standin

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def standin() -> Standin:
    """Make a small repository, or find it in the cache."""
    try:
        return make_standin(["iproute2", "passwd"])
    except VirtnodeError as error:
        if error.code is Code.UNAVAILABLE:
            pytest.skip(f"{LABEL} needs Debian's packages: {error.message}")
        raise


@pytest.fixture(scope="module")
def config(standin: Standin) -> ImageConfig:
    """Describe an image made from it."""
    return ImageConfig(
        source=Path("standin.ks"),
        base="fedora",
        gpg_keys=(str(standin.key),),
        url=Repository("", baseurl=standin.repository.as_uri()),
        packages=Packages(install=("iproute2", "passwd"), exclude_docs=True, languages=()),
    )


@pytest.fixture(scope="module")
def root(config: ImageConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install it once for all tests."""
    directory = tmp_path_factory.mktemp("standin")
    (directory / "root").mkdir()
    Fedora().install(config, Sources(cache=directory / "cache"), directory / "root", lambda line: None)
    return directory / "root"


def test_every_package_is_known_to_rpm(root: Path) -> None:
    """The closure, everything essential and the package that configures them are in rpm's database."""
    packages = {package.name: package for package in Fedora().list_packages(root)}
    assert {"base-files", "bash", "dpkg", "iproute2", "libc6", "passwd", CONFIGURE} <= set(packages)
    assert not {"shim-signed", "grub-pc-bin"} & set(packages)
    assert "/usr/bin/ip" in packages["iproute2"].files or "/usr/sbin/ip" in packages["iproute2"].files


def test_dpkg_configured_every_package(root: Path) -> None:
    """Maintainer scripts ran, all of them, and nothing is half done."""
    states = run_in_root(root, ["dpkg-query", "-W", "-f", "${db:Status-Status}\n"]).stdout.split()
    assert set(states) == {"installed"}
    assert len(states) == len(Fedora().list_packages(root)) - 1
    assert run_in_root(root, ["dpkg", "--audit"]).stdout == ""


def test_programs_run_and_files_have_their_owners(root: Path) -> None:
    """The tree works: libraries are found, accounts exist, a file of another group belongs to it."""
    assert "ip utility" in run_in_root(root, ["ip", "-V"]).stdout
    assert run_in_root(root, ["stat", "-c", "%U:%G %a", "/usr/bin/chage"]).stdout == "root:shadow 2755\n"
    assert stat.S_IMODE((root / "tmp").stat().st_mode) == 0o1777


def test_documentation_and_translations_stay_out(root: Path) -> None:
    """--excludedocs and --inst-langs work on the converted packages, and licences stay."""
    assert not any((root / "usr/share/man").rglob("*.gz"))
    assert not any((root / "usr/share/locale").rglob("*.mo"))
    assert (root / "usr/share/doc/iproute2/copyright").is_file()


def test_boot_loaders_are_found_by_what_the_repository_has(
    config: ImageConfig, root: Path, tmp_path: Path
) -> None:
    """The same code finds Debian's shim and GRUB, because Fedora's are not on offer."""
    sources = Sources(cache=tmp_path / "cache")
    found = Fedora().fetch_boot_files(config, sources, root, tmp_path / "boot")
    for path in (found.shim, found.mok_manager, found.grub_removable, found.grub_disk, found.grub_network):
        assert path.read_bytes()[:2] == b"MZ"
    assert (found.grub_bios / "boot.img").is_file()
    assert found.vendor == "debian"
    assert [package.name for package in found.packages] == sorted(BOOT_PACKAGES)


def test_the_kickstart_names_the_debian_nodes_packages(standin: Standin, tmp_path: Path) -> None:
    """It is the Debian node's file but for base, repository and key."""
    config = load_kickstart(make_standin_kickstart(tmp_path / "standin.ks", standin))
    assert config.base == "fedora"
    assert config.gpg_keys == (str(standin.key),)
    assert config.url is not None
    assert config.url.baseurl == standin.repository.as_uri()
    assert set(config.packages.install) == set(read_package_names())
    assert "linux-image-amd64" in config.packages.install
