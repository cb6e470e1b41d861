"""A technician installs a node on its serial line, then once more over it, which a power cut interrupts."""

import dataclasses
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from image.accelerator import Accelerator
from nodelib.slots import UNFINISHED
from tests.vm.guest import Guest, Hardware, menu_boot, switched_on, wait_until
from tests.vm.joining import Engine, running_engine, short_folder
from tests.vm.recipes import recipe
from tests.vm.terminal import FRAME, Terminal, terminal_on
from tests.vm.test_console import BOOT_SECONDS, Bench, joins_an_engine
from tests.vm.test_install import INSTALL_SECONDS, SERIAL, make_disk, wait_for_agent

pytestmark = [pytest.mark.vm, pytest.mark.thorough, pytest.mark.timeout(5400)]

MENU_SECONDS = 120.0
NO_ENGINE = "press 2 to join an engine"
TYPED, MISTYPED = SERIAL[-4:], SERIAL[:4]
"""What a person types to say that it is this disk, and what is refused."""
PERCENT = re.compile(r"(\d+) %")
STATE = "/var/lib/virtnode"
KEPT = f"cd {STATE} && sha256sum node.toml identity/key.pem identity/node.pem ssh/*"
"""Names what the node was told, its key, what proves its membership, and its SSH host keys."""
VOLUME, WORD = "guest1", "kept"
TABLE_BYTES = 34 * 512


def test_a_technician_installs_and_installs_again(
    artefacts: Path, accelerator: Accelerator, tmp_path: Path
) -> None:
    """By the menu's entry, the screens and a typed confirmation; the second time state and data stay."""
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    with short_folder(tmp_path) as folder, running_engine(folder) as engine:
        medium = menu_boot(artefacts)
        medium_first = Hardware(folder, str(uuid.uuid4()), state=make_disk(folder))
        disk_first = dataclasses.replace(medium_first, state_starts=True)
        with (
            switched_on(Guest(disk_first, medium, accelerator), evidence, engine.log) as node,
            terminal_on(node) as terminal,
        ):
            chooses_install(terminal, "down")
            installs(terminal)
            restarts(node, terminal)
            joins_an_engine(Bench(node, terminal, engine, evidence))
            gives_it_data(node)
            before, member = node.run(KEPT), engine.nodes()[0]
        with (
            switched_on(Guest(medium_first, medium, accelerator), evidence, engine.log) as node,
            terminal_on(node) as terminal,
        ):
            # The entry that starts the disk is the menu's last, and is marked.
            chooses_install(terminal, "up")
            installs_over_it(terminal)
            wait_until(lambda: is_closed(disk_first), INSTALL_SECONDS, "the first write", pause=0.05)
        with (
            switched_on(Guest(disk_first, medium, accelerator), evidence, engine.log) as node,
            terminal_on(node) as terminal,
        ):
            is_told_what_happened(node, terminal)
            installs_over_it_by_command(node)
            assert node.run(KEPT) == before
            assert VOLUME in node.run("lvs --noheadings -o lv_name")
            assert WORD in node.run(f"head -c {len(WORD)} /dev/virtnode-*/{VOLUME}")
            assert is_the_same(engine, member)
            assert node.run("systemctl --failed --no-legend --plain").strip() == ""


def chooses_install(terminal: Terminal, arrow: str) -> None:
    """Go to the boot menu's entry, and wait for the console that it brings."""
    terminal.wait_for("Install virtnode", MENU_SECONDS)
    terminal.press(arrow, arrow, "enter")
    sees_the_console(terminal)


def sees_the_console(terminal: Terminal) -> None:
    """Wait for it, and open its first screen, whatever a line that doubles bytes has brought it."""
    terminal.wait_for(FRAME, BOOT_SECONDS)
    terminal.settle()
    terminal.press("1")
    terminal.wait_for(NO_ENGINE, BOOT_SECONDS)


def opens_the_screen(terminal: Terminal, content: str) -> None:
    """Look at the disks: there is this one, with that on it."""
    terminal.press("5")
    terminal.wait_for("Target")
    terminal.wait_for(content)
    terminal.wait_for(f"Serial number  {SERIAL}")


def installs(terminal: Terminal) -> None:
    """Look at the plan, mistype the confirmation, type it, and watch it get ahead."""
    opens_the_screen(terminal, "nothing")
    terminal.press("i")
    terminal.wait_for("Install to vda: what would happen")
    terminal.press("right", "enter")
    terminal.wait_for("Install to vda now?")
    terminal.fill(MISTYPED)
    terminal.press("enter")
    terminal.wait_for(f'That is not "{TYPED}"')
    terminal.fill(TYPED)
    terminal.press("enter")
    terminal.wait_for("Installing to")
    seen: list[int] = []
    wait_until(lambda: is_installed(terminal, seen), INSTALL_SECONDS, "the end", pause=0.5)
    assert seen == sorted(seen)
    assert any(0 < percent < 100 for percent in seen), seen


def is_installed(terminal: Terminal, seen: list[int]) -> bool:
    """Note the percentage that is shown, and tell whether the end is."""
    text = terminal.text
    assert "FAILED" not in text, text
    seen += map(int, PERCENT.findall(text)[:1])
    return "Installed to vda. Restart now?" in text


def restarts(node: Guest, terminal: Terminal) -> None:
    """Say yes to the restart: the disk starts, though the medium is still in."""
    terminal.press("right", "enter")
    wait_until(lambda: runs_from_disk(node), BOOT_SECONDS, "a start from the disk")
    sees_the_console(terminal)
    assert "node.install" not in node.run("cat /proc/cmdline")


def gives_it_data(node: Guest) -> None:
    """Make a guest's disk, with something on it."""
    group = node.run("vgs --noheadings -o vg_name").strip()
    node.run(f"lvcreate --yes --size 64M --name {VOLUME} {group}")
    node.run(f"printf {WORD} | dd of=/dev/{group}/{VOLUME} conv=fsync && sync")


def installs_over_it(terminal: Terminal) -> None:
    """Be asked what stays, keep it, and confirm; the rest is up to whoever waits."""
    opens_the_screen(terminal, "virtnode 0.")
    terminal.press("i")
    terminal.wait_for("Keep state, data")
    # The other switch would destroy the volume group.
    terminal.press(" ", "tab", "tab", "tab", "enter")
    terminal.wait_for("stays as it is")
    terminal.press("right", "right", "enter")
    terminal.wait_for("its state and data stay")
    terminal.fill(TYPED)
    terminal.press("enter")


def is_closed(hardware: Hardware) -> bool:
    """Tell whether the disk has lost its ability to start."""
    assert hardware.state is not None
    with hardware.state.open("rb") as disk:
        return UNFINISHED.encode("utf-16-le") in disk.read(TABLE_BYTES)


def is_told_what_happened(node: Guest, terminal: Terminal) -> None:
    """See that the disk, though it is first, has handed over to the medium, which leaves the state alone."""
    sees_the_console(terminal)
    wait_for_agent(node)
    assert "root=live:CDLABEL=" in node.run("cat /proc/cmdline")
    told = "began and never ended: install again"
    wait_until(lambda: told in right_pane(terminal), 60, f"{told!r} on the screen")
    assert told in node.run("virtnodectl status")
    assert node.try_run(f"findmnt {STATE}")[0] != 0


def right_pane(terminal: Terminal) -> str:
    """Read what stands beside the menu, without the ends of lines."""
    return " ".join(" ".join(line.rpartition("|")[2] for line in terminal.text.splitlines()).split())


def installs_over_it_by_command(node: Guest) -> None:
    """Do what the documentation says, and start the disk."""
    names = {"/dev/sda": f"serial:{SERIAL}", "7A3F": TYPED}
    said = node.run(recipe("install.md", "virtnodectl install run /dev/sda --keep", names), INSTALL_SECONDS)
    assert "100 %" in said
    node.try_run("systemctl reboot")
    wait_until(lambda: runs_from_disk(node), BOOT_SECONDS, "a start from the disk")
    wait_for_agent(node)


def runs_from_disk(node: Guest) -> bool:
    """Tell whether the node was started by the disk's own menu."""
    try:
        return "root=live:PARTUUID=" in node.try_run("cat /proc/cmdline", seconds=20)[1]
    except TimeoutError:
        return False


def is_the_same(engine: Engine, member: Mapping[str, Any]) -> bool:
    """Wait until the node is up, and tell whether the engine takes it for the one that it was."""
    return bool(engine.wait_for_state("up")["id"] == member["id"])
