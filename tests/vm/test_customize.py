"""What the documentation's own commands embed in a finished medium reaches the node, on every medium."""

import contextlib
import io
import shlex
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from image.accelerator import Accelerator
from image.main import main
from tests.nodeagent.authority import Authority
from tests.nodeagent.node_trees import SSH_KEY
from tests.vm.guest import Boot, Guest, Hardware, cd_options, network_boot, switched_on, wait_until
from tests.vm.joining import short_folder
from tests.vm.recipes import recipe

pytestmark = [pytest.mark.vm, pytest.mark.timeout(3600)]

NAME = "custom1.example.org"
ANSWER = f'ask = ["system.timezone"]\n[system]\nhostname = "{NAME}"\n'
MARK = "virtnode_test=${mac}"
"""The node's menu must hand on what it could take for a variable of its own; iPXE puts the address in."""
TOKEN = "abcdefgh" * 6
MEDIA = {
    "iso": "virtnode-image customize out/virtnode-0.1.0-x86_64.iso",
    "disk": "virtnode-image customize out/virtnode-0.1.0-x86_64.qcow2",
    "pxe": "virtnode-image customize out/pxe",
}
"""How each medium's line begins."""


@pytest.mark.parametrize("medium", MEDIA)
def test_a_customised_medium_configures_its_node(
    artefacts: Path, accelerator: Accelerator, tmp_path: Path, medium: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started by its own menu, the node has the name, the argument, and says where it got the name."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{TOKEN}\n"))
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
            if medium == "iso":
                assert "intel_iommu=on" in words
                assert SSH_KEY.split()[1] in node.run("cat /etc/virtnode/ssh_keys")
                assert "engine.example.org" in node.run("virtnodectl status --json")


@contextlib.contextmanager
def customised(artefacts: Path, folder: Path, medium: str) -> Iterator[Boot]:
    """Customise one of a build's media, and attach the copy."""
    copies = folder / "copies"
    copies.mkdir()
    (folder / "node.toml").write_text(ANSWER)
    names = {"node.toml": folder / "node.toml"}
    follow("virtnode-image validate", names)
    if medium == "pxe":
        follow(MEDIA[medium], names | {"out/pxe": artefacts / "pxe", "pxe-rack7": copies / "pxe"}, MARK)
        with network_boot(copies, folder, ("quiet",)) as boot:
            yield boot
        return
    [source] = artefacts.glob({"disk": "*.qcow2", "iso": "*.iso"}[medium])
    copy = copies / source.name
    names |= {f"out/virtnode-0.1.0-x86_64{source.suffix}": source}
    if medium == "disk":
        follow(MEDIA[medium], names | {"node1.qcow2": copy}, MARK)
        drive = f"if=none,id=disk,format=qcow2,file={copy}"
        yield Boot(("-vga", "std", "-drive", drive, "-device", "virtio-blk-pci,drive=disk,bootindex=1"))
    else:
        key, authority = folder / "key.pub", folder / "authority.pem"
        key.write_text(f"{SSH_KEY}\n")
        authority.write_text(Authority(time.time()).pem)
        more = {"mine.iso": copy, "~/.ssh/id_ed25519.pub": key, "ca.pem": authority}
        follow(MEDIA[medium], names | more, MARK)
        follow(
            "virtnode-image inspect mine.iso", {"mine.iso": copy, "out/SHA256SUMS": artefacts / "SHA256SUMS"}
        )
        yield Boot(("-vga", "std", *cd_options(copy)))


def follow(beginning: str, names: Mapping[str, Path], argument: str = "") -> None:
    """Do what a line of the documentation says, perhaps with one kernel argument more."""
    line = recipe("media.md", beginning, {name: str(here) for name, here in names.items()})
    assert main([*shlex.split(line)[1:], *(("--karg", argument) if argument else ())]) == 0
