"""Boot runs one machine in the foreground."""

from pathlib import Path

import pytest

from image.accelerator import Accelerator
from image.boot import boot_artefact, choose_medium
from nodelib.errors import InvalidInput, VirtnodeError
from tests.image.trees import make_tree

OUT = {"node.iso": "", "node.qcow2": "", "pxe/boot.ipxe": "#!ipxe\nset base http://x\n"}


def fake_qemu(folder: Path, *, status: int = 0) -> Accelerator:
    """Write a QEMU that notes its arguments and ends."""
    program = folder / "qemu"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{folder}/arguments\nexit {status}\n')
    program.chmod(0o755)
    return Accelerator(str(program), "fake", ())


def test_iso_boots_on_the_terminal(tmp_path: Path) -> None:
    """Serial console and QEMU's monitor share the terminal; there is no window."""
    out = make_tree(tmp_path / "out", OUT)
    boot_artefact(out, memory=3072, accelerator=fake_qemu(tmp_path))
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert "stdio,id=console,mux=on,signal=off" in arguments
    assert f"if=none,id=drive0,format=raw,media=cdrom,readonly=on,file={out}/node.iso" in arguments
    assert arguments[arguments.index("-m") + 1] == "3072"
    assert arguments[arguments.index("-display") + 1] == "none"


def test_window_and_stick_are_as_asked(tmp_path: Path) -> None:
    """Options reach the machine."""
    out = make_tree(tmp_path / "out", OUT)
    boot_artefact(out, window=True, usb=True, accelerator=fake_qemu(tmp_path))
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert "usb-storage,removable=on,drive=drive0,bootindex=1" in arguments
    assert arguments[arguments.index("-display") + 1] == "gtk"


def test_failure_of_qemu_is_told(tmp_path: Path) -> None:
    """QEMU has said why on the terminal already."""
    out = make_tree(tmp_path / "out", OUT)
    with pytest.raises(VirtnodeError, match="status 3"):
        boot_artefact(out, accelerator=fake_qemu(tmp_path, status=3))


def test_pxe_folder_is_chosen_when_asked_for(tmp_path: Path) -> None:
    """Otherwise the ISO comes first."""
    out = make_tree(tmp_path, OUT)
    assert choose_medium(out, pxe=False, usb=False) == out / "node.iso"
    assert choose_medium(out, pxe=True, usb=False) == out / "pxe"
    assert choose_medium(out / "pxe", pxe=False, usb=False) == out / "pxe"


def test_pxe_folder_is_no_stick(tmp_path: Path) -> None:
    """A contradiction is wrong input."""
    with pytest.raises(InvalidInput, match="cannot be a USB stick"):
        choose_medium(make_tree(tmp_path, OUT), pxe=True, usb=True)
