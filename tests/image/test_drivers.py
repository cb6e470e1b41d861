"""Drivers and firmware: which groups keep what, and that the rest goes."""

import shutil
from pathlib import Path

import pytest

from image.drivers import (
    DriverGroup,
    check_driver_names,
    find_kernel_version,
    keep_firmware,
    load_driver_groups,
    read_dependencies,
    select_modules,
)
from image.plan import DRIVER_GROUPS
from nodelib.errors import Code, InvalidInput, VirtnodeError
from tests.image.trees import list_tree, make_tree

MODULES = {
    "kernel/drivers/net/a.ko.xz": ("kernel/lib/common.ko.xz",),
    "kernel/drivers/net/sub/b.ko": (),
    "kernel/drivers/gpu/g.ko.zst": ("kernel/lib/common.ko.xz",),
    "kernel/lib/common.ko.xz": (),
    "updates/dkms/x.ko": (),
}


def select(*patterns: str) -> set[str]:
    """Name the modules that one group of these patterns keeps."""
    kept = select_modules(MODULES, [DriverGroup("group", "because", patterns)])
    return {Path(module).name.partition(".")[0] for module in kept}


@pytest.mark.parametrize(
    ("patterns", "kept"),
    [
        (("drivers/net/*",), {"a", "common"}),
        (("drivers/net/**",), {"a", "b", "common"}),
        (("drivers/net/{a,sub/b}",), {"a", "b", "common"}),
        (("drivers/{net/{a,c},gpu/g}",), {"a", "g", "common"}),
        (("drivers/**", "!drivers/net/**"), {"g", "common"}),
        (("drivers/net/sub/b",), {"b"}),
        (("updates/**",), {"x"}),
        (("drivers/net/A",), set()),
        ((), set()),
    ],
)
def test_patterns_choose_modules(patterns: tuple[str, ...], kept: set[str]) -> None:
    """One star stays in a folder, two cross folders, braces choose, ! takes out again."""
    assert select(*patterns) == kept


def test_the_first_group_owns_a_module() -> None:
    """What two groups need belongs to the first."""
    groups = [DriverGroup("net", "", ("drivers/net/a",)), DriverGroup("gpu", "", ("drivers/gpu/*",))]
    kept = select_modules(MODULES, groups)
    assert kept["kernel/lib/common.ko.xz"] == "net"
    assert kept["kernel/drivers/gpu/g.ko.zst"] == "gpu"


def test_modules_dep_is_read(tmp_path: Path) -> None:
    """Each line is a module and what it needs."""
    path = tmp_path / "modules.dep"
    path.write_text("kernel/a.ko: kernel/b.ko kernel/c.ko\nkernel/b.ko:\n")
    assert read_dependencies(path) == {"kernel/a.ko": ("kernel/b.ko", "kernel/c.ko"), "kernel/b.ko": ()}


@pytest.mark.parametrize(
    ("versions", "newest"),
    [
        (["6.12.9-amd64", "6.12.10-amd64"], "6.12.10-amd64"),
        (["6.9.0-0.rc1.fc43", "6.10.0-1.fc43"], "6.10.0-1.fc43"),
        (["6.1.0"], "6.1.0"),
    ],
)
def test_the_newest_kernel_is_found(versions: list[str], newest: str, tmp_path: Path) -> None:
    """Numbers count as numbers."""
    make_tree(tmp_path, {f"usr/lib/modules/{version}/": "" for version in versions})
    assert find_kernel_version(tmp_path) == newest


@pytest.mark.parametrize("contents", [{}, {"usr/lib/modules/": ""}])
def test_a_root_without_a_kernel_is_told(contents: dict[str, str], tmp_path: Path) -> None:
    """A kickstart that forgets the kernel gets an error and no traceback."""
    make_tree(tmp_path, contents)
    with pytest.raises(VirtnodeError, match="brought no kernel") as caught:
        find_kernel_version(tmp_path)
    assert caught.value.code is Code.INVALID
    assert "%packages" in caught.value.hint


def test_every_group_says_who_would_miss_it() -> None:
    """drivers.toml has a reason and patterns for each group, and no pattern twice in one."""
    for group in load_driver_groups(DRIVER_GROUPS).values():
        assert group.reason.endswith(".")
        assert group.patterns
        assert len(set(group.patterns)) == len(group.patterns)


def test_unknown_groups_are_told_at_once() -> None:
    """Each is a line that lists the known ones."""
    groups = load_driver_groups(DRIVER_GROUPS)
    check_driver_names(list(groups), groups)
    with pytest.raises(InvalidInput) as caught:
        check_driver_names(["cor", "core", "nett"], groups)
    assert [line.split("'")[1] for line in caught.value.problems] == ["cor", "nett"]


@pytest.fixture
def firmware_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make firmware, one module, and a modinfo that says which of it the module asks for."""
    root = make_tree(
        tmp_path / "root",
        {
            "usr/lib/modules/6.1/kernel/net.ko": "module",
            "usr/lib/firmware/net/wanted.bin.xz": "w",
            "usr/lib/firmware/net/unwanted.bin": "u",
            "usr/lib/firmware/net/v1-7.ucode": "g",
            "usr/lib/firmware/linked.bin": "->net/target.bin",
            "usr/lib/firmware/net/target.bin": "t",
            "usr/lib/firmware/gone/only.bin": "o",
            "usr/lib/firmware/amd-ucode/microcode.bin": "m",
        },
    )
    script = "#!/bin/sh\nprintf 'net/wanted.bin\\nnet/v1-*.ucode\\nlinked.bin\\n'\n"
    tools = make_tree(tmp_path / "bin", {"modinfo": script})
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    return root


def test_firmware_that_no_module_names_goes(firmware_root: Path) -> None:
    """Named files stay, compressed or matched or linked; microcode stays; empty folders go."""
    dropped = keep_firmware(firmware_root)
    assert dropped == len("u") + len("o")
    assert {
        path.removeprefix("/usr/lib/firmware/") for path in list_tree(firmware_root) if "firmware" in path
    } == {
        "net/wanted.bin.xz",
        "net/v1-7.ucode",
        "linked.bin",
        "net/target.bin",
        "amd-ucode/microcode.bin",
    }
    assert not (firmware_root / "usr/lib/firmware/gone").exists()


def test_a_root_without_firmware_is_left_alone(tmp_path: Path) -> None:
    """No firmware is nothing to drop."""
    assert keep_firmware(tmp_path) == 0


@pytest.mark.integration
def test_every_pattern_matches_a_real_module(node_tree: Path) -> None:
    """Groups name drivers of the kernel that a node has; most patterns keep something."""
    version = find_kernel_version(node_tree)
    dependencies = read_dependencies(node_tree / "usr/lib/modules" / version / "modules.dep")
    for group in load_driver_groups(DRIVER_GROUPS).values():
        kept = select_modules(dependencies, [group])
        assert kept, group.name


@pytest.mark.integration
def test_kept_modules_have_what_they_need(node_tree: Path) -> None:
    """A module never stays without one that it depends on."""
    version = find_kernel_version(node_tree)
    dependencies = read_dependencies(node_tree / "usr/lib/modules" / version / "modules.dep")
    kept = select_modules(dependencies, load_driver_groups(DRIVER_GROUPS).values())
    assert {needed for module in kept for needed in dependencies[module]} <= set(kept)
    assert shutil.which("modinfo")
