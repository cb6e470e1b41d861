"""Each check finds what is really broken in a tree and keeps quiet about what is not."""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from image.bases import Package
from image.lint import Allowances, check_rootfs, load_allowances, read_families
from tests.image.elves import write_elf
from tests.image.trees import make_tree, package

LIBC = "/usr/lib/x86_64-linux-gnu/libc.so.6"
LOADER = "/lib64/ld-linux-x86-64.so.2"


def check(
    root: Path,
    *packages: Package,
    generated: Mapping[str, str] | None = None,
    checks: Mapping[str, Mapping[str, str]] | None = None,
) -> list[str]:
    """Check a tree; without packages, everything in it counts as accounted for."""
    everything = {} if packages else {"*": "not the matter of this test"}
    return check_rootfs(root, packages, Allowances(generated or everything, checks or {}))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a tree with a C library, a loader and a shell."""
    root = make_tree(tmp_path / "root", {"/lib64": "->usr/lib64", "/usr/lib64/": "", "/bin": "->usr/bin"})
    write_elf(root, "/usr/lib64/ld-linux-x86-64.so.2")
    write_elf(root, LIBC)
    write_elf(root, "/usr/bin/sh", needed=["libc.so.6"], interpreter=LOADER)
    return root


def test_a_sound_tree_has_no_problem(root: Path) -> None:
    """Programs whose loader and libraries are there pass."""
    assert check(root) == []


def test_a_missing_library_and_loader_are_named(root: Path) -> None:
    """Each unresolved name of each file is one line."""
    write_elf(root, "/usr/bin/ls", needed=["libc.so.6", "libacl.so.1"], interpreter="/lib64/ld-none.so.1")
    assert check(root) == [
        "/usr/bin/ls: its interpreter /lib64/ld-none.so.1 is missing",
        "/usr/bin/ls: needs the library libacl.so.1, which is missing",
    ]


@pytest.mark.parametrize(
    "runpath", ["$ORIGIN/../lib/private", "${ORIGIN}/../lib/private", "/usr/lib/private"]
)
def test_a_library_in_the_runpath_is_found(root: Path, runpath: str) -> None:
    """$ORIGIN stands for the file's own directory."""
    write_elf(root, "/usr/lib/private/libp.so", needed=["libc.so.6"])
    write_elf(root, "/usr/bin/p", needed=["libp.so"], runpath=runpath)
    assert check(root) == []


def test_a_library_in_a_configured_directory_is_found(root: Path) -> None:
    """/etc/ld.so.conf and what it includes name more directories."""
    make_tree(
        root,
        {"/etc/ld.so.conf": "include /etc/ld.so.conf.d/*.conf\n", "/etc/ld.so.conf.d/x.conf": "/opt/x\n"},
    )
    write_elf(root, "/opt/x/libx.so.1")
    write_elf(root, "/usr/bin/x", needed=["libx.so.1"])
    assert check(root) == []


def test_a_library_of_another_class_does_not_count(root: Path) -> None:
    """A 32-bit library does not serve a 64-bit program."""
    write_elf(root, "/usr/lib/libx.so.1", bits=32)
    write_elf(root, "/usr/bin/x", needed=["libx.so.1"])
    assert check(root) == ["/usr/bin/x: needs the library libx.so.1, which is missing"]


def test_a_library_its_loader_brings_along_is_found(root: Path) -> None:
    """What the program that loads a library has loaded already is taken by its name."""
    private = "/usr/lib/private"
    write_elf(root, f"{private}/libshared.so")
    write_elf(root, f"{private}/libcore.so", needed=["libshared.so"])
    assert check(root) == [f"{private}/libcore.so: needs the library libshared.so, which is missing"]
    write_elf(root, "/usr/bin/init", needed=["libcore.so", "libshared.so"], runpath=private)
    assert check(root) == []


def test_firmware_and_foreign_blobs_are_left_alone(root: Path) -> None:
    """ELF files of other machines, and whatever lies among firmware, are data."""
    write_elf(root, "/usr/lib/firmware/fw.elf", needed=["libnone.so"])
    write_elf(root, "/usr/share/blob", needed=["libnone.so"], machine=243)
    make_tree(root, {"/usr/bin/odd": "\x7fELF but not really"})
    assert check(root) == []


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("#!/bin/sh -e", ""),
        ("#! /bin/sh", ""),
        ("#!/usr/bin/perl -w", "/usr/bin/perl"),
        ("#!/usr/bin/env sh", ""),
        ("#!/usr/bin/env python3", "python3"),
        ("#!/usr/bin/env -S A=b python3 -u", "python3"),
        ("#!/usr/bin/env -Spython3 -u", "python3"),
    ],
)
def test_script_interpreters(root: Path, line: str, missing: str) -> None:
    """A script's interpreter must be there, also the one that env would start."""
    make_tree(root, {"/usr/bin/script": f"{line}\nexit\n"})
    expected = [f"/usr/bin/script: its interpreter {missing} is missing"] if missing else []
    assert check(root) == expected


def test_a_script_that_nobody_can_start_is_data(root: Path) -> None:
    """Without an execute bit `#!` is a comment."""
    make_tree(root, {"/usr/share/example": "#!/usr/bin/perl\n"})
    (root / "usr/share/example").chmod(0o644)
    assert check(root) == []


@pytest.mark.parametrize(
    ("unit", "problem"),
    [
        ("[Service]\nExecStart=/usr/bin/sh -c x\n", ""),
        ("[Service]\nExecStart=/usr/bin/gone --now\n", "ExecStart=/usr/bin/gone is missing"),
        ("[Service]\nExecStartPre=@!!/usr/bin/gone gone\n", "ExecStartPre=/usr/bin/gone is missing"),
        ("[Service]\nExecStart=gone\n", "ExecStart=gone is missing"),
        ("[Service]\nExecStart=sh\n", ""),
        ("[Service]\nExecStartPre=-/usr/bin/gone\n", ""),
        ("[Service]\n#ExecStart=/usr/bin/gone\nExecStart=\n", ""),
        ("[Service]\nExecStart=/usr/lib/%i $MORE\n", ""),
        ("[Unit]\nConditionPathExists=/usr/bin/gone\n[Service]\nExecStart=/usr/bin/gone\n", ""),
        ("[Unit]\nConditionFileIsExecutable=|/usr/bin/gone\n[Service]\nExecStart=/usr/bin/gone\n", ""),
        (
            "[Unit]\nConditionPathExists=!/usr/bin/gone\n[Service]\nExecStart=/usr/bin/gone\n",
            "ExecStart=/usr/bin/gone is missing",
        ),
    ],
)
def test_unit_programs(root: Path, unit: str, problem: str) -> None:
    """What a unit starts must be there, unless failure is tolerated or the program is its condition."""
    path = "/usr/lib/systemd/system/a.service"
    make_tree(root, {path: unit})
    assert check(root) == ([f"{path}: {problem}"] if problem else [])


def test_drop_ins_and_bus_services_are_units_too(root: Path) -> None:
    """Programs are looked for wherever something starts them."""
    make_tree(
        root,
        {
            "/etc/systemd/system/a.service.d/x.conf": "[Service]\nExecStart=/usr/bin/gone\n",
            "/usr/share/dbus-1/system-services/org.x.service": "[D-BUS Service]\nExec=/usr/bin/gone\n",
        },
    )
    assert [problem.split(":")[0] for problem in check(root)] == [
        "/etc/systemd/system/a.service.d/x.conf",
        "/usr/share/dbus-1/system-services/org.x.service",
    ]


def test_a_masked_unit_starts_nothing(root: Path) -> None:
    """A unit that /etc links to /dev/null may be as broken as it likes."""
    make_tree(
        root,
        {
            "/usr/lib/systemd/system/a.service": "[Service]\nExecStart=/usr/bin/gone\n",
            "/etc/systemd/system/a.service": "->/dev/null",
        },
    )
    assert check(root) == []


def test_enabled_units_must_exist(root: Path) -> None:
    """A link below *.wants counts by its name: an instance needs its template, wherever it leads."""
    wants = "/etc/systemd/system/multi-user.target.wants"
    make_tree(
        root,
        {
            "/usr/lib/systemd/system/getty@.service": "",
            "/usr/lib/systemd/system/here.service": "",
            f"{wants}/getty@tty1.service": "->/usr/lib/systemd/system/getty@tty1.service",
            f"{wants}/here.service": "->/lib/old-place/here.service",
            f"{wants}/gone.service": "->/usr/lib/systemd/system/gone.service",
        },
    )
    assert check(root) == [
        f"{wants}/gone.service: leads to /usr/lib/systemd/system/gone.service, which is in no package"
    ]


def test_dangling_links(root: Path) -> None:
    """A link is broken if trimming took its target or if nobody shipped either; not if shipped so."""
    make_tree(
        root,
        {
            "/usr/bin/a": "->b",
            "/usr/bin/c": "->../lib/never-there",
            "/usr/bin/d": "->/usr/bin/nowhere",
            "/etc/mtab": "->../proc/self/mounts",
            "/etc/resolv.conf": "->/run/resolve/resolv.conf",
        },
    )
    owner = package("p", "/usr/bin/a", "/usr/bin/b", "/usr/bin/c", "/bin/sh", LIBC, "/lib64", "/bin", LOADER)
    assert check(root, owner, generated={"/usr/bin/d": "made", "/etc/*": "made"}) == [
        "/usr/bin/a: leads to /usr/bin/b, which its package has and the tree has not",
        "/usr/bin/d: leads to /usr/bin/nowhere, which is in no package",
    ]


def test_every_file_is_accounted_for(root: Path) -> None:
    """A file is a package's (byte-code through its module), ours, a choice, or explained; else a problem."""
    make_tree(
        root,
        {
            "/usr/lib/py/m.py": "",
            "/usr/lib/py/__pycache__/m.cpython-313.pyc": "",
            "/usr/lib/py/__pycache__/orphan.cpython-313.pyc": "",
            "/usr/lib/virtnode/agent.py": "",
            "/etc/machine-id": "",
            "/root/.bash_history": "",
            "/etc/alternatives/vi": "->/usr/lib/py/m.py",
            "/usr/bin/vi": "->/etc/alternatives/vi",
        },
    )
    owner = package("p", "/bin/sh", LIBC, "/lib64", "/bin", LOADER, "/usr/lib/py/m.py")
    complaint = "belongs to no package, and nothing says what made it"
    assert check(
        root, owner, generated={"/etc/machine-id": "made at boot", "/etc/alternatives/*": "chosen"}
    ) == [
        f"/root/.bash_history: {complaint}",
        f"/usr/lib/py/__pycache__/orphan.cpython-313.pyc: {complaint}",
    ]


def test_an_allowance_holds_for_its_check_alone(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An allowed complaint is dropped; an allowance without use is warned about."""
    make_tree(root, {"/usr/bin/script": "#!/usr/bin/perl\n"})
    with caplog.at_level(logging.WARNING):
        assert check(root, checks={"script": {"/usr/bin/s*": "never run"}}) == []
        assert caplog.messages == []
        assert len(check(root, checks={"elf": {"/usr/bin/script": "wrong check"}})) == 1
    assert caplog.messages == ["the lint allowance elf '/usr/bin/script' allows nothing any more"]


@pytest.mark.parametrize("base", ["debian", "fedora"])
def test_our_data_gives_a_reason_for_everything(base: str) -> None:
    """Each exception is an absolute glob and says why."""
    allowances = load_allowances([base])
    for glob, reason in {
        **allowances.generated,
        **{k: v for one in allowances.checks.values() for k, v in one.items()},
    }.items():
        assert glob.startswith("/")
        assert len(reason) > 8
    assert set(allowances.checks) <= {"elf", "script", "unit", "link", "manifest"}


def test_data_of_a_distribution_adds_to_what_holds_for_any(tmp_path: Path) -> None:
    """Another distribution's exceptions are not taken."""
    make_tree(
        tmp_path,
        {
            "generated.toml": '[any]\n"/a" = "A"\n[debian]\n"/b" = "B"\n[fedora]\n"/c" = "C"\n',
            "lint-allow.toml": '[any.elf]\n"/x" = "X"\n[debian.elf]\n"/y" = "Y"\n[fedora.unit]\n"/z" = "Z"\n',
        },
    )
    assert load_allowances(["debian"], tmp_path) == Allowances(
        {"/a": "A", "/b": "B"}, {"elf": {"/x": "X", "/y": "Y"}}
    )


@pytest.mark.parametrize(
    ("os_release", "families"),
    [
        ("ID=debian\n", ("debian",)),
        ('NAME="A B"\nID="rocky"\nID_LIKE="rhel centos fedora"\n', ("rocky", "rhel", "centos", "fedora")),
        ("NAME=x\n", ()),
    ],
)
def test_a_root_says_whose_files_it_holds(tmp_path: Path, os_release: str, families: tuple[str, ...]) -> None:
    """The distribution and those it takes after, whatever installer brought the packages."""
    make_tree(tmp_path, {"/usr/lib/os-release": os_release})
    assert read_families(tmp_path) == families


@pytest.mark.skipif(shutil.which("true") is None, reason="no program to read")
def test_a_real_program_is_read(tmp_path: Path) -> None:
    """The build machine's own `true`, alone in a tree, misses its loader and its C library."""
    (tmp_path / "usr/bin").mkdir(parents=True)
    shutil.copy(str(shutil.which("true")), tmp_path / "usr/bin/true")
    problems = check(tmp_path)
    assert any("its interpreter" in problem for problem in problems)
    assert any("needs the library libc" in problem for problem in problems)
