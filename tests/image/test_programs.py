"""The node's own programs in a root: files, launchers, units, byte-code and vendored wheels."""

import re
from pathlib import Path

import pytest

from image.chroot import run_in_root
from image.plan import CHECKOUT
from image.programs import (
    DATA,
    HOME,
    LAUNCHER,
    LAUNCHERS,
    PACKAGES,
    check_imports,
    drop_unused,
    install_programs,
    install_vendor,
)
from nodelib.errors import VirtnodeError
from nodelib.run import run


def test_launchers_name_modules_that_have_a_main() -> None:
    """Each program in /usr/bin calls a function that exists."""
    for name, module in LAUNCHERS.items():
        source = CHECKOUT.joinpath(*module.split(".")).with_suffix(".py")
        assert re.search(r"^def main\(.*\) -> int:", source.read_text(), re.M)
        compile(LAUNCHER.format(module=module), name, "exec")


def test_units_start_programs_that_are_installed() -> None:
    """A unit's program is one of the launchers."""
    for unit in sorted((CHECKOUT / "nodeagent/units").iterdir()):
        for line in unit.read_text().splitlines():
            if line.startswith("ExecStart="):
                assert line.partition("=")[2].split()[0].removeprefix("/usr/bin/") in LAUNCHERS


def test_all_data_of_the_programs_is_installed() -> None:
    """Each file in a program's data folder has its place in a root."""
    assert {
        str(path.relative_to(CHECKOUT))
        for package in PACKAGES
        for path in sorted((CHECKOUT / package).glob("data/*"))
    } == set(DATA)


def test_units_of_ours_are_switched_on() -> None:
    """Each unit that can be enabled is named by the preset."""
    preset = CHECKOUT / "image/data/rootfs/usr/lib/systemd/system-preset/00-virtnode.preset"
    enabled = {
        line.partition(" ")[2] for line in preset.read_text().splitlines() if line.startswith("enable")
    }
    for unit in (CHECKOUT / "nodeagent/units").iterdir():
        assert ("[Install]" in unit.read_text()) == (unit.name in enabled), unit.name


def test_no_pins_is_nothing_to_install(tmp_path: Path) -> None:
    """Comments alone ask for no wheel, and pip is not run."""
    (tmp_path / "vendor.txt").write_text("# none yet\n\n")
    install_vendor([tmp_path / "vendor.txt"], tmp_path / "vendor", tmp_path / "cache")
    assert not (tmp_path / "vendor").exists()


def test_a_pin_without_a_hash_is_refused(tmp_path: Path) -> None:
    """Every wheel is checked against a hash, or none is installed."""
    (tmp_path / "vendor.txt").write_text("some-name==1.0\n")
    with pytest.raises(VirtnodeError, match="ended with status 1"):
        install_vendor([tmp_path / "vendor.txt"], tmp_path / "vendor", tmp_path / "cache")


def test_what_nobody_loads_is_dropped(tmp_path: Path) -> None:
    """Files and folders by pattern; one that finds nothing says so, for a wheel has changed."""
    for name in ("kept/module.py", "kept/unused_one.py", "demo/part.py"):
        path = tmp_path / "vendor" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    patterns = tmp_path / "unused.txt"
    patterns.write_text("# why\n\nkept/unused_*.py\ndemo\n")
    drop_unused(patterns, tmp_path / "vendor")
    assert [path.name for path in (tmp_path / "vendor").rglob("*.py")] == ["module.py"]
    with pytest.raises(VirtnodeError, match="no wheel has kept/unused"):
        drop_unused(patterns, tmp_path / "vendor")


def test_what_a_node_runs_needs_no_more_than_the_node_has() -> None:
    """Programs of the node import neither the image builder nor anything it needs."""
    imported = "import sys; import nodeagent.banner, nodeagent.state_disk; print(*sys.modules)"
    modules = run(["python3", "-c", imported], cwd=CHECKOUT).stdout.split()
    assert not {"image", "rich", "pykickstart", "mako", "elftools"} & set(modules)


@pytest.fixture
def root(node_tree: Path, tmp_path: Path) -> Path:
    """Copy a real installed root."""
    copy = tmp_path / "root"
    run(["cp", "--archive", "--reflink=auto", node_tree, copy])
    return copy


@pytest.mark.integration
def test_a_real_root_runs_them(root: Path, tmp_path: Path) -> None:
    """Modules are compiled and readable, units are enabled by preset, and every path is told."""
    own = install_programs(root, tmp_path / "wheels")
    assert own[0] == f"/{HOME}"
    for package in PACKAGES:
        sources = list((root / HOME / package).glob("*.py"))
        assert sources
        for source in sources:
            assert source.stat().st_mode & 0o777 == 0o644
            assert list((source.parent / "__pycache__").glob(f"{source.stem}.*.pyc"))
    assert not list((root / HOME).rglob("units"))
    # It would hold sums of programs that name the Python of the host that builds.
    assert not list((root / HOME).rglob("RECORD"))
    assert all((root / path.lstrip("/")).exists() for path in own)
    enabled = {path.name for path in (root / "etc/systemd/system").glob("*.wants/*")}
    assert {"virtnode-config.service", "virtnode-agent.service", "virtnode-state.service"} <= enabled
    assert "virtnode:x:" in (root / "etc/group").read_text()
    admin = [row for row in (root / "etc/shadow").read_text().splitlines() if row.startswith("admin:")]
    assert [row.split(":")[1:3] for row in admin] == [["!*", ""]]
    for module in LAUNCHERS.values():
        check = f"import sys; sys.path[:0] = ['/{HOME}', '/{HOME}/vendor']; import {module}"
        assert run_in_root(root, ["python3", "-I", "-c", check]).status == 0


@pytest.mark.integration
def test_a_root_that_lacks_a_module_is_refused(root: Path, tmp_path: Path) -> None:
    """A trim rule may drop what a library of a library needs: the build says so, and not the node."""
    install_programs(root, tmp_path / "wheels")
    for source in (root / "usr/lib").glob("python3*/selectors.py"):
        source.unlink()
    with pytest.raises(VirtnodeError, match=r"lacks something: .*selectors"):
        check_imports(root)


@pytest.mark.integration
def test_systemd_accepts_the_units(root: Path, tmp_path: Path) -> None:
    """The node's own systemd-analyze finds no fault in our units."""
    own = install_programs(root, tmp_path / "wheels")
    units = [path for path in own if path.startswith("/usr/lib/systemd/system/")]
    result = run_in_root(root, ["systemd-analyze", "verify", "--man=no", *units], check=False)
    complaints = [line for line in result.stderr.splitlines() if "virtnode" in line]
    assert complaints == []


def test_every_program_of_ours_is_in_python_that_parses() -> None:
    """Whatever is copied to the node compiles here."""
    for package in PACKAGES:
        for source in (CHECKOUT / package).rglob("*.py"):
            compile(source.read_text(), str(source), "exec")
