"""The menu of an installed disk, in GRUB's own emulator: on a file, with GRUB's own FAT and environment."""

import os
import pty
import re
import select
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from image.boot_menu import parse_grub
from image.media.grub import installed_entry
from nodelib.errors import VirtnodeError
from nodelib.run import run
from nodelib.slot_menu import (
    KERNEL_ROOM,
    MENU_ROOM,
    TRIAL_ARGUMENTS,
    check_length,
    disk_menu,
    environment_block,
    quoted,
    read_environment,
    read_slot_config,
    slot_config,
)
from nodelib.slots import ESP
from tests.nodeagent.install.works import install, make_work

SECONDS = 30.0
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
DISK = "hd0,gpt2"


class Grub:
    """A running emulator whose first disk is a file."""

    def __init__(self, folder: Path, disk: Path) -> None:
        (folder / "device.map").write_text(f"(hd0) {disk}\n")
        argv = ["grub-emu", "-m", str(folder / "device.map"), "-d", str(folder / "none"), "-r", "hd0"]
        self._process, self._terminal = pty.fork()
        if self._process == 0:
            os.execvpe(argv[0], argv, {**os.environ, "TERM": "dumb", "LC_ALL": "C.UTF-8"})
        self._shown = ""
        self.wait_for("grub> ")

    def type(self, line: str) -> None:
        """Type a line, and forget what was shown before."""
        self._shown = ""
        os.write(self._terminal, f"{line}\r".encode())

    def wait_for(self, words: str) -> str:
        """Wait until something is shown; return all that was since the last line."""
        deadline = time.monotonic() + SECONDS
        while words not in self._shown:
            left = deadline - time.monotonic()
            assert left > 0, f"GRUB did not show {words}: {self._shown}"
            if select.select([self._terminal], [], [], left)[0]:
                self._shown = ESCAPES.sub(
                    "", self._shown + os.read(self._terminal, 65536).decode(errors="replace")
                )
        return self._shown

    def end(self) -> None:
        """End it."""
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        os.close(self._terminal)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Install to a file; slot B has its own configuration."""
    if shutil.which("grub-emu") is None:
        pytest.skip("grub-emu is not installed")
    work = make_work(tmp_path / "work")
    install(work)
    config = tmp_path / "slot.cfg"
    config.write_text(slot_config("the next one", ["quiet"]))
    place = f"{work.device}@@{work.region(ESP).start}M"
    run(["mmd", "-i", place, "::b"])
    run(["mcopy", "-i", place, config, "::b/slot.cfg"])
    return work.device


@pytest.fixture
def grub(disk: Path, tmp_path: Path) -> Iterator[Grub]:
    """Run the emulator on the disk."""
    running = Grub(tmp_path, disk)
    yield running
    running.end()


def start(grub: Grub, words: str) -> str:
    """Open the disk's menu as the boot loader does."""
    grub.type(f"configfile ({DISK})/grub/grub.cfg")
    return grub.wait_for(words)


def environment(disk: Path) -> str:
    """Read what GRUB keeps from boot to boot."""
    return run(["mtype", "-i", f"{disk}@@2M", "::grub/grubenv"]).stdout


def test_a_slot_on_trial_has_three_tries(disk: Path, tmp_path: Path) -> None:
    """Then the other one starts again, and stays."""
    fresh = tmp_path / "grubenv"
    fresh.write_bytes(environment_block(slot="a", trial="b", tries="3"))
    run(["mcopy", "-o", "-i", f"{disk}@@2M", fresh, "::grub/grubenv"])
    for title, left in (
        ("next one", 2),
        ("next one", 1),
        ("next one", 0),
        ("virtnode new", 0),
        ("virtnode new", 0),
    ):
        grub = Grub(tmp_path, disk)
        try:
            start(grub, f"Start {'the ' if 'next' in title else ''}{title}")
        finally:
            grub.end()
        assert f"\ntries={left}\n" in environment(disk)
        assert ("\ntrial=b\n" in environment(disk)) == ("next" in title)


def test_a_kernel_on_trial_that_does_not_load_is_tried_again(disk: Path, tmp_path: Path) -> None:
    """GRUB alone would show its menu until somebody comes; so it restarts, and the tries run out."""
    fresh = tmp_path / "grubenv"
    fresh.write_bytes(environment_block(slot="a", trial="b", tries="3"))
    run(["mcopy", "-o", "-i", f"{disk}@@2M", fresh, "::grub/grubenv"])
    grub = Grub(tmp_path, disk)
    try:
        start(grub, "Start the next one")
        grub.wait_for("The system on trial cannot be loaded. Restarting ...")
    finally:
        grub.end()


def test_nothing_restarts_by_itself_but_a_trial(grub: Grub) -> None:
    """Of a system that is in force nobody knows a better one: the menu waits for whoever comes."""
    grub.type(f"source ({DISK})/grub/grub.cfg")
    grub.type('echo "falls back to <$fallback>"')
    grub.wait_for("falls back to <>")


def test_arguments_of_a_disk_image_are_read_beside_the_slot(disk: Path, tmp_path: Path) -> None:
    """What was embedded in the image stands in a file of its own, which an update leaves alone."""
    custom = tmp_path / "custom.cfg"
    custom.write_text("set node_arguments='hugepages=8'\nset title=\"$title of $node_arguments\"\n")
    run(["mcopy", "-i", f"{disk}@@2M", custom, "::grub/custom.cfg"])
    grub = Grub(tmp_path, disk)
    try:
        start(grub, "Start virtnode new of hugepages=8")
    finally:
        grub.end()


def test_a_slot_on_trial_is_told_so(disk: Path, tmp_path: Path) -> None:
    """Its kernel hears that it is a try, and restarts when it fails; any other hears nothing."""
    config, fresh = tmp_path / "slot.cfg", tmp_path / "grubenv"
    config.write_text('set title="told <$try>"\nset arguments=quiet\n')
    run(["mcopy", "-o", "-i", f"{disk}@@2M", config, "::b/slot.cfg"])
    trial = {"slot": "a", "trial": "b", "tries": "3"}
    for variables, told in ((trial, f"node.trial=b {' '.join(TRIAL_ARGUMENTS)}"), ({"slot": "b"}, "")):
        fresh.write_bytes(environment_block(**variables))
        run(["mcopy", "-o", "-i", f"{disk}@@2M", fresh, "::grub/grubenv"])
        grub = Grub(tmp_path, disk)
        try:
            start(grub, f"told <{told}>")
        finally:
            grub.end()


def test_a_slot_without_its_file_is_passed_over(disk: Path, tmp_path: Path) -> None:
    """Whether it is on trial or is the one that starts: the other one does, and the try is given up."""
    run(["mdel", "-i", f"{disk}@@2M", "::b/slot.cfg"])
    for variables in ({"slot": "a", "trial": "b", "tries": "3"}, {"slot": "b"}):
        fresh = tmp_path / "grubenv"
        fresh.write_bytes(environment_block(**variables))
        run(["mcopy", "-o", "-i", f"{disk}@@2M", fresh, "::grub/grubenv"])
        grub = Grub(tmp_path, disk)
        try:
            start(grub, "Start virtnode new")
        finally:
            grub.end()
        assert "\ntrial=b\n" not in environment(disk)
        assert ("\nfailed=b\n" in environment(disk)) == ("trial" in variables)


def test_an_unfinished_disk_starts_nothing(disk: Path, tmp_path: Path) -> None:
    """It says so, and goes on to the next device."""
    run(["mren", "-i", f"{disk}@@2M", "::virtnode/done", "todo"])
    grub = Grub(tmp_path, disk)
    try:
        start(grub, "an installation that never ended")
    finally:
        grub.end()


def test_a_medium_starts_the_disk_that_it_installed(grub: Grub, tmp_path: Path) -> None:
    """And no other."""
    for build, chosen in (("1A2B3C4D", "installed"), ("FFFFFFFF", "start")):
        menu = tmp_path / build
        entry = installed_entry(f"VIRTNODE-{build}")
        menu.write_text(f"set default=start\n{entry}\necho chosen: $default of {build}\n")
        grub.type(f"source (host){menu}")
        assert f"chosen: {chosen} of" in grub.wait_for(f" of {build}")


def test_texts_are_quoted_for_grub() -> None:
    """Whatever a title has in it."""
    assert quoted("it's") == "'it'\\''s'"
    assert len(environment_block(slot="a")) == 1024


def test_the_kernel_gets_all_that_the_menu_adds() -> None:
    """Of arguments as long as they may be, on trial, in each entry; longer ones are refused."""
    longest = "x" * (KERNEL_ROOM - MENU_ROOM)
    check_length([longest])
    with pytest.raises(VirtnodeError, match="have 1920 letters, and there is room for 1919"):
        check_length([longest[2:], "ab"])
    given = {"arguments": longest, "trial": "b", "slot": "b"}
    entries = parse_grub(disk_menu("ABCD-1234", 3), "grub.cfg", given, {"slot": "b"})
    lines = [f"BOOT_IMAGE=/b/vmlinuz {entry.arguments}" for entry in entries if entry.arguments]
    assert len(lines) == 3
    assert sum(TRIAL_ARGUMENTS[-1] in line for line in lines) == 2
    assert max(map(len, lines)) <= KERNEL_ROOM


def test_what_is_written_for_grub_can_be_read_back() -> None:
    """Titles and arguments with quotes in them, variables; what is neither is refused."""
    arguments = ["quiet", 'dyndbg="file a +p"', "x=it's"]
    found = read_slot_config(slot_config("it's", arguments))
    assert (found.title, list(found.arguments)) == ("it's", arguments)
    assert read_environment(environment_block(slot="a", tries="3")) == {"slot": "a", "tries": "3"}
    for broken in (lambda: read_slot_config("title"), lambda: read_environment(b"x" * 1024)):
        with pytest.raises(VirtnodeError, match="cannot be read"):
            broken()
