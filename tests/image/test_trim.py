"""Each trim command does to a tree what lorax does, stays inside it, and says what it did."""

import subprocess
import time
from pathlib import Path

import pytest

from image.bases import Package
from image.trim import TrimReport, apply_trim, load_template, prune_empty_directories
from nodelib.errors import VirtnodeError
from tests.image.trees import list_tree, make_tree, package

VARIABLES = {"basearch": "x86_64", "libdir": "lib64", "root": "/"}


def trim(tmp_path: Path, root: Path, text: str, *packages: Package) -> TrimReport:
    """Run a template of this text over a tree."""
    template = tmp_path / "rules.tmpl"
    template.write_text(text)
    return apply_trim(load_template(template, VARIABLES), root, packages)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a merged-/usr tree."""
    tree = tmp_path / "root"
    return make_tree(tree, {"/usr/lib/": "", "/usr/bin/": "", "/lib": "->usr/lib", "/bin": "->/usr/bin"})


def test_removepkg_takes_files_and_leaves_directories(tmp_path: Path, root: Path) -> None:
    """Package globs choose packages; directories, and symlinks to directories, stay."""
    make_tree(root, {"/usr/lib/perl/a.pl": "abc", "/usr/lib/perl5": "->perl", "/usr/bin/perl": "x"})
    files = ("/usr", "/usr/lib/perl", "/usr/lib/perl/a.pl", "/usr/lib/perl5", "/usr/lib/gone")
    report = trim(
        tmp_path, root, "removepkg perl*\n", package("perl-base", *files), package("x", "/usr/bin/perl")
    )
    assert list_tree(root) == {"/lib", "/bin", "/usr/lib/perl5", "/usr/bin/perl"}
    assert (root / "usr/lib/perl").is_dir()
    assert (report.files, report.size, report.warnings) == (1, 3, [])


def test_a_shared_file_goes_with_the_first_of_its_owners(tmp_path: Path, root: Path) -> None:
    """A second owner does not keep a file, and naming it again is no error."""
    make_tree(root, {"/usr/lib/shared": "x"})
    owners = (package("a", "/usr/lib/shared"), package("b", "/usr/lib/shared"))
    report = trim(tmp_path, root, "removepkg a\nremovepkg b\n", *owners)
    assert [result.files for result in report.rules] == [1, 0]
    assert report.warnings == []


def test_removefrom_matches_across_slashes(tmp_path: Path, root: Path) -> None:
    """In a package's own list `*` crosses directories and takes hidden names."""
    make_tree(root, {"/usr/lib/q/a/x.so": "1", "/usr/lib/q/.x.so": "2", "/usr/lib/q/keep": "3"})
    qemu = package("qemu", "/usr/lib/q/a/x.so", "/usr/lib/q/.x.so", "/usr/lib/q/keep")
    trim(tmp_path, root, "removefrom qemu *.so\n", qemu)
    assert list_tree(root) == {"/lib", "/bin", "/usr/lib/q/keep"}


def test_removefrom_allbut_keeps_the_matches(tmp_path: Path, root: Path) -> None:
    """With --allbut only what matches one of the globs is left of the package."""
    make_tree(root, {"/usr/bin/ip": "1", "/usr/bin/tc": "2", "/usr/bin/ss": "3", "/usr/bin/other": "4"})
    iproute = package("iproute2", "/bin/ip", "/usr/bin/tc", "/bin/ss")
    trim(tmp_path, root, "removefrom iproute2 --allbut /usr/bin/{ip,ss}\n", iproute)
    assert list_tree(root) == {"/lib", "/bin", "/usr/bin/ip", "/usr/bin/ss", "/usr/bin/other"}


@pytest.mark.parametrize("glob", ["/lib/x/*", "/usr/lib/x/*"])
@pytest.mark.parametrize("listed", ["/lib/x/file", "/usr/lib/x/file"])
def test_either_spelling_of_a_merged_directory_works(
    tmp_path: Path, root: Path, glob: str, listed: str
) -> None:
    """/lib and /usr/lib are one directory, whichever a package lists and a rule names."""
    make_tree(root, {"/usr/lib/x/file": "x"})
    report = trim(tmp_path, root, f"removefrom a {glob}\n", package("a", listed))
    assert not (root / "usr/lib/x/file").exists()
    assert report.warnings == []


def test_bytecode_goes_with_its_package(tmp_path: Path, root: Path) -> None:
    """What a package's trigger compiled is as much its own as where the package lists it."""
    make_tree(root, {"/usr/lib/py/m.py": "", "/usr/lib/py/__pycache__/m.cpython-313.pyc": "x"})
    trim(tmp_path, root, "removepkg m\n", package("m", "/usr/lib/py/m.py"))
    assert list_tree(root) == {"/lib", "/bin"}


def test_removekmod_takes_files_below_directories(tmp_path: Path, root: Path) -> None:
    """Whole directories of modules go but for what the keep globs match; a glob for one file does nothing."""
    modules = "/usr/lib/modules/6.1/kernel"
    names = (
        "sound/a.ko",
        "drivers/net/virtio_net.ko",
        "drivers/net/x/ixgbe.ko",
        "drivers/net/y.ko",
        "fs/f.ko",
    )
    make_tree(root, {f"{modules}/{name}": "x" for name in names})
    report = trim(tmp_path, root, "removekmod sound drivers/net --allbut virtio ixgbe\nremovekmod fs/f.ko\n")
    assert {path.removeprefix(modules + "/") for path in list_tree(root)} == {
        "/lib",
        "/bin",
        "drivers/net/virtio_net.ko",
        "drivers/net/x/ixgbe.ko",
        "fs/f.ko",
    }
    assert report.warnings == [
        f"{tmp_path}/rules.tmpl:2: removekmod: no directory of modules matches 'fs/f.ko'"
    ]


def test_remove_follows_the_rules_of_globs(tmp_path: Path, root: Path) -> None:
    """`*` stays within a directory and leaves hidden names; a directory goes with all below it."""
    make_tree(root, {"/tmp/a/b": "x", "/tmp/.hidden": "x", "/usr/lib/m/1/s/f": "x", "/usr/lib/m/2/t/f": "x"})
    report = trim(tmp_path, root, "remove tmp/* /lib/m/*/s\n")
    assert list_tree(root) == {"/lib", "/bin", "/tmp/.hidden", "/usr/lib/m/2/t/f"}
    assert report.removed == {"/tmp/a/b", "/usr/lib/m/1/s/f"}


def test_nothing_outside_the_tree_is_touched(tmp_path: Path, root: Path) -> None:
    """Absolute symlinks and symlinks that climb are followed inside the tree, as a chroot would."""
    make_tree(tmp_path, {"/outside/file": "precious"})
    make_tree(
        root, {"/abs": f"->{tmp_path}/outside", "/up": "->../../../../outside", "/outside/file": "ours"}
    )
    text = "remove /abs/*\nremove /up/file\nremovepkg evil\n-append /abs/file more\n"
    trim(
        tmp_path, root, text, package("evil", "/abs/file", "/../outside/file", f"/up{tmp_path}/outside/file")
    )
    assert (tmp_path / "outside/file").read_text() == "precious"
    assert not (root / "outside/file").exists()


def test_a_symlink_is_removed_and_not_what_it_names(tmp_path: Path, root: Path) -> None:
    """`remove` takes the link at the end of a path."""
    make_tree(root, {"/usr/share/data/file": "x", "/usr/share/link": "->data", "/loop": "->loop"})
    trim(tmp_path, root, "remove /usr/share/link /loop\n")
    assert list_tree(root) == {"/lib", "/bin", "/usr/share/data/file"}


def test_what_matches_nothing_is_a_warning(tmp_path: Path, root: Path) -> None:
    """Each unmatched word is told with its line; a leading `-` silences, and so does a file already gone."""
    make_tree(root, {"/usr/share/doc/a": "x"})
    text = (
        "remove /usr/share/doc\n"
        "remove /usr/share/doc /usr/share/dco\n"
        "removepkg gone\n"
        "removefrom a /usr/share/doc/* /usr/x\n"
        "-remove /x\n"
    )
    report = trim(tmp_path, root, text, package("a", "/usr/share/doc/a"))
    assert [warning.removeprefix(f"{tmp_path}/rules.tmpl:") for warning in report.warnings] == [
        "2: remove: nothing matches '/usr/share/dco'",
        "3: removepkg: no package 'gone' with files is installed",
        "4: removefrom: a has no file '/usr/x'",
    ]


def test_append_writes_a_line(tmp_path: Path, root: Path) -> None:
    """Escapes are understood, a newline is added, and a missing file is made."""
    make_tree(root, {"/etc/motd": "old\n"})
    trim(tmp_path, root, 'append /etc/motd "a\\tb"\nappend /etc/machine-id ""\n')
    assert (root / "etc/motd").read_text() == "old\na\tb\n"
    assert (root / "etc/machine-id").read_text() == "\n"


def test_move_install_symlink_and_mkdir(tmp_path: Path, root: Path) -> None:
    """Files are moved, copied and linked; a directory as destination keeps the name."""
    make_tree(root, {"/usr/lib/a": "a", "/usr/lib/b": "b", "/etc/old": "x"})
    trim(tmp_path, root, "mkdir /srv/x/y\nmove /lib/a /srv/x\ninstall /lib/b* /srv/x/y\nsymlink b /etc/old\n")
    assert list_tree(root) == {"/lib", "/bin", "/usr/lib/b", "/srv/x/a", "/srv/x/y/b", "/etc/old"}
    assert (root / "etc/old").readlink() == Path("b")


def test_a_rule_that_fails_is_named(tmp_path: Path, root: Path) -> None:
    """Without a leading `-` the first failure ends the run, with file and line."""
    with pytest.raises(VirtnodeError, match=r"rules\.tmpl:2: move /absent /x: "):
        trim(tmp_path, root, "-install /absent /x\nmove /absent /x\n")


def test_systemctl_masks_offline(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Units are handed one by one to systemctl with the tree as its root; a refusal is a warning."""
    fake = make_tree(
        tmp_path / "path", {"systemctl": '#!/bin/sh\necho "$@" >> "$2/calls"\n[ "$5" != bad ]\n'}
    )
    monkeypatch.setenv("PATH", f"{fake}:/usr/bin:/bin")
    report = trim(tmp_path, root, "systemctl mask good bad\n")
    assert (root / "calls").read_text().splitlines() == [
        f"--root {root} --no-reload mask good",
        f"--root {root} --no-reload mask bad",
    ]
    assert report.warnings == [f"{tmp_path}/rules.tmpl:1: systemctl: mask bad: refused"]


def test_only_directories_the_trimming_emptied_are_pruned(tmp_path: Path, root: Path) -> None:
    """A directory shipped empty, one outside /usr, and one with anything left in it stay."""
    make_tree(
        root,
        {
            "/usr/share/a/b/f": "x",
            "/usr/share/e/f": "x",
            "/usr/share/l/f": "x",
            "/usr/share/l/g": "",
            "/var/v/f": "",
        },
    )
    packages = (
        package("a", "/usr", "/usr/share", "/usr/share/a", "/usr/share/a/b", "/usr/share/a/b/f", "/var/v/f"),
        package("e", "/usr/share/e"),
        package("x", "/usr/share/l/f"),
    )
    report = trim(tmp_path, root, "removepkg a x\nremove /usr/share/e/f\n", *packages)
    assert prune_empty_directories(root, packages, report) == 2
    left = {
        str(path.relative_to(root)) for path in root.rglob("*") if path.is_dir() and not path.is_symlink()
    }
    assert left == {"usr", "usr/lib", "usr/bin", "usr/share", "usr/share/e", "usr/share/l", "var", "var/v"}


def test_a_tree_of_the_real_size(tmp_path: Path, root: Path) -> None:
    """A hundred rules over thousands of files take well under the seconds that one walk a rule would."""
    packages = [package(f"p{n}", *(f"/usr/lib/p{n}/f{m}" for m in range(40))) for n in range(100)]
    make_tree(root, {path: "" for one in packages for path in one.files})
    text = "".join(f"removefrom p{n} /lib/*/f1*\n" for n in range(100)) + "removepkg p1*\n"
    started = time.monotonic()
    assert trim(tmp_path, root, text, *packages).files == 100 * 11 + 11 * 29
    assert time.monotonic() - started < 5


def test_rules_agree_with_lorax(tmp_path: Path, root: Path) -> None:
    """Where lorax is installed, both interpreters leave the same files."""
    pytest.importorskip("pylorax.ltmpl")
    from image.lorax import run_with_lorax

    make_tree(root, {"/usr/lib/a/x.so": "", "/usr/lib/a/y": "", "/usr/bin/[": "", "/usr/share/doc/a/b": ""})
    twin = tmp_path / "twin"
    subprocess.run(["cp", "-a", root, twin], check=True)
    owner = package("a", "/usr/lib/a/x.so", "/usr/lib/a/y", "/usr/bin/[")
    text = "removefrom a --allbut *.so\nremove /usr/share/{doc,man}\n"
    trim(tmp_path, root, text, owner)
    run_with_lorax([tmp_path / "rules.tmpl"], twin, VARIABLES, [owner])
    assert list_tree(root) == list_tree(twin)
