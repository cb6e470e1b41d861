"""What is embedded in a finished medium reaches the node: configuration and arguments, on every medium."""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from image.accelerator import Accelerator
from image.main import main
from tests.vm.guest import Boot, Guest, Hardware, cd_options, network_boot, switched_on, wait_until
from tests.vm.joining import short_folder

pytestmark = [pytest.mark.vm, pytest.mark.timeout(3600)]

NAME = "custom1.example.org"
ANSWER = f'ask = ["system.timezone"]\n[system]\nhostname = "{NAME}"\n'
MARK = "virtnode_test=${mac}"
"""The node's menu must hand on what it could take for a variable of its own; iPXE puts the address in."""


@pytest.mark.parametrize("medium", ["iso", "disk", "pxe"])
def test_a_customised_medium_configures_its_node(
    artefacts: Path, accelerator: Accelerator, tmp_path: Path, medium: str
) -> None:
    """Started by its own menu, the node has the name, the argument, and says where it got the name."""
    with short_folder(tmp_path) as folder, customised(artefacts, folder, medium) as boot:
        (folder / "node").mkdir(exist_ok=True)
        guest = Guest(Hardware(folder / "node", str(uuid.uuid4())), boot, accelerator)
        with switched_on(guest, tmp_path / "evidence") as node:
            node.wait_for_shell()
            wait_until(lambda: node.run("hostname").strip() == NAME, 600, "the embedded host name")
            words = node.run("cat /proc/cmdline").split()
            assert [word for word in words if word.startswith("virtnode_test=")] == [
                f"virtnode_test={guest.hardware.mac}" if medium == "pxe" else MARK
            ]
            assert "/run/virtnode/embedded.toml" in node.run("virtnodectl config show --json")
            assert "system.timezone" in node.run("virtnodectl status --json")
            assert node.run("stat -c %a /run/virtnode/embedded.toml").strip() == "600"


@contextlib.contextmanager
def customised(artefacts: Path, folder: Path, medium: str) -> Iterator[Boot]:
    """Customise one of a build's media, and attach the copy."""
    answer = folder / "node.toml"
    answer.write_text(ANSWER)
    options = ["--config", str(answer), "--karg", MARK]
    if medium == "pxe":
        copies = folder / "copies"
        copies.mkdir()
        assert main(["customize", str(artefacts / "pxe"), "-o", str(copies / "pxe"), *options]) == 0
        with network_boot(copies, folder, ("quiet",)) as boot:
            yield boot
    elif medium == "disk":
        disk = folder / "custom.qcow2"
        source = next(artefacts.glob("*.qcow2"))
        assert main(["customize", str(source), "-o", str(disk), *options]) == 0
        drive = f"if=none,id=disk,format=qcow2,file={disk}"
        yield Boot(("-vga", "std", "-drive", drive, "-device", "virtio-blk-pci,drive=disk,bootindex=1"))
    else:
        iso = folder / "custom.iso"
        source = next(artefacts.glob("*.iso"))
        assert main(["customize", str(source), "-o", str(iso), *options]) == 0
        yield Boot(("-vga", "std", *cd_options(iso)))
