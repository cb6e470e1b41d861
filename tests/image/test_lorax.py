"""The door to lorax: what it is called with, and what happens where it is not installed."""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from image.config import ImageConfig, Trim
from image.lorax import (
    LoraxJob,
    check_lorax,
    customised_iso_argv,
    has_template_runner,
    live_files_argv,
    live_iso_argv,
    run_with_lorax,
)
from image.plan import load_rules
from image.tree import trim_root
from nodelib.errors import Code, VirtnodeError
from tests.image.test_builder import PLAN
from tests.image.trees import make_tree, package

RUNNER = '''
import pathlib

class LoraxTemplateRunner:
    """Writes down what it was called with."""

    def __init__(self, inroot, outroot, dbo=None, fatalerrors=True, templatedir=None, defaults=None):
        self.outroot, self.templatedir = outroot, templatedir

    def run(self, template, **variables):
        if "bad" in template:
            raise ValueError("unknown command frob")
        line = f"{template} {self.templatedir} {sorted(variables.items())} {sorted(self._filelist('b*'))}"
        pathlib.Path(self.outroot, "calls").write_text(line)
'''

JOB = LoraxJob(
    Path("/w/root.img"),
    Path("/w/node.ks"),
    Path("/w/out"),
    Path("/w/tmp"),
    "virtnode",
    "13",
    ("quiet", "a=b"),
)
COMMON = [
    "--fs-image=/w/root.img",
    "--ks=/w/node.ks",
    "--resultdir=/w/out",
    "--tmp=/w/tmp",
    "--logfile=/w/tmp/livemedia.log",
    "--project=virtnode",
    "--releasever=13",
    "--compression=xz",
    "--compress-arg=-b 1M",
    "--compress-arg=-Xbcj x86",
    "--compress-arg=-wildcards",
    "--compress-arg=-e",
    "--compress-arg=boot/*",
    "--extra-boot-args=quiet a=b",
]


@pytest.fixture
def fake_lorax(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a pylorax that writes down its calls."""
    folder = make_tree(tmp_path / "site", {"pylorax/__init__.py": "", "pylorax/ltmpl.py": RUNNER})
    monkeypatch.syspath_prepend(str(folder))
    for name in ("pylorax", "pylorax.ltmpl"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield
    for name in ("pylorax", "pylorax.ltmpl"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("fake_lorax")
def test_templates_run_over_the_tree_with_our_package_lists(tmp_path: Path) -> None:
    """Lorax gets root, variables and the files (never directories) of the packages that match."""
    assert has_template_runner()
    root = make_tree(tmp_path / "root", {"/usr/bin/bash": "x"})
    template = tmp_path / "node.tmpl"
    run_with_lorax([template], root, {"basearch": "x86_64"}, [package("bash", "/usr/bin", "/usr/bin/bash")])
    expected = f"{template} {tmp_path} [('basearch', 'x86_64')] ['/usr/bin/bash']"
    assert (root / "calls").read_text() == expected


@pytest.mark.parametrize(("assembler", "by_lorax"), [("virtnode", False), ("lorax", True)])
@pytest.mark.usefixtures("fake_lorax")
def test_the_assembler_runs_the_templates(tmp_path: Path, assembler: str, by_lorax: bool) -> None:
    """Lorax gets the templates where it shall assemble; what the kickstart itself drops goes either way."""
    root = make_tree(tmp_path / "root", {"/usr/bin/bash": "x", "/usr/share/big": "x", "/etc/mine": "x"})
    make_tree(tmp_path, {"node.tmpl": "remove /usr/share/big\n"})
    trim = Trim(templates=(tmp_path / "node.tmpl",), drop_paths=("/etc/mine",))
    config = ImageConfig(source=Path("node.ks"), base="fedora", suite="43", trim=trim)
    plan = dataclasses.replace(PLAN, config=config, rules=load_rules(config), assembler=assembler)
    report = trim_root(plan, root, [])
    assert (root / "calls").exists() == by_lorax
    assert report.removed == ({"/etc/mine"} if by_lorax else {"/etc/mine", "/usr/share/big"})


@pytest.mark.usefixtures("fake_lorax")
def test_a_failure_inside_lorax_names_the_template(tmp_path: Path) -> None:
    """Whatever lorax raises becomes one line of ours."""
    with pytest.raises(VirtnodeError, match=r"lorax stopped in .*bad\.tmpl: unknown command frob"):
        run_with_lorax([tmp_path / "bad.tmpl"], tmp_path, {}, [])


def test_without_lorax_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing lorax is `unavailable`, with a hint."""
    monkeypatch.setitem(sys.modules, "pylorax", None)
    with pytest.raises(VirtnodeError) as caught:
        run_with_lorax([tmp_path / "node.tmpl"], tmp_path, {}, [])
    assert caught.value.code is Code.UNAVAILABLE
    assert "dnf install lorax" in caught.value.hint


def test_live_iso_command() -> None:
    """The ISO is made from a file system image, with the kickstart lorax cannot do without."""
    assert live_iso_argv(JOB, iso_name="node.iso", volume_id="VIRTNODE") == [
        "livemedia-creator",
        "--make-iso",
        "--volid=VIRTNODE",
        "--nomacboot",
        "--iso-only",
        "--iso-name=node.iso",
        *COMMON,
    ]


def test_live_files_command() -> None:
    """The PXE set is what would be in the ISO, made from the same image."""
    expected = ["livemedia-creator", "--make-iso", "--volid=VIRTNODE", "--nomacboot", *COMMON]
    assert live_files_argv(JOB, volume_id="VIRTNODE") == expected


def test_a_host_without_lorax_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, and a hint for either family of hosts."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(VirtnodeError, match="lorax is not installed") as caught:
        check_lorax()
    assert caught.value.code is Code.UNAVAILABLE
    assert "dnf install lorax" in caught.value.hint
    assert "Debian has none" in caught.value.hint
    make_tree(tmp_path, {"livemedia-creator": "#!/bin/true\n", "mkksiso": "#!/bin/true\n"})
    check_lorax()


def test_customised_iso_command() -> None:
    """Only what changes is passed, and the EFI image is left as signed."""
    argv = customised_iso_argv(
        Path("a.iso"), Path("b.iso"), kernel_arguments=["x=1", "y"], added=[Path("node.toml")]
    )
    assert argv == ["mkksiso", "--skip-mkefiboot", "--cmdline=x=1 y", "--add=node.toml", "a.iso", "b.iso"]


def test_the_efi_image_follows_when_it_shall() -> None:
    """Its own menu gets the same arguments."""
    argv = customised_iso_argv(Path("a.iso"), Path("b.iso"), remove_arguments=["x", "y"], rebuild_efi=True)
    assert argv == ["mkksiso", "--rm-args=x y", "a.iso", "b.iso"]


def test_a_customised_iso_must_differ() -> None:
    """Mkksiso refuses to do nothing, and so do we, before it runs."""
    with pytest.raises(VirtnodeError, match="something to change"):
        customised_iso_argv(Path("a.iso"), Path("b.iso"))
