"""Boot menus, as GRUB and PXELINUX would read them."""

from pathlib import Path

import pytest

from image.boot_menu import MenuEntry, parse_grub, parse_pxelinux, read_menus
from image.medium import StoredFile
from nodelib.slot_menu import disk_menu, environment_block, slot_config


def test_grub_variables_are_put_in() -> None:
    """What `set` gave is put in, what GRUB finds when it runs is left, and quotes are taken off."""
    text = """
set common='quiet  ro'
set more="$common x=${unknown}"
menuentry "One" { linux16 /ignored
  linuxefi ($root)/vmlinuz ${more}   y
}
submenu 'Others' {
  menuentry Two {
    linux /vmlinuz
  }
}
"""
    assert parse_grub(text, "grub.cfg") == [
        MenuEntry("grub.cfg", "One", "($root)/vmlinuz", "quiet ro x=${unknown} y"),
        MenuEntry("grub.cfg", "Two", "/vmlinuz", ""),
    ]


def test_pxelinux_labels_are_entries() -> None:
    """Each label with its kernel and its APPEND line is an entry."""
    text = "DEFAULT node\nLABEL node\n  KERNEL vmlinuz\n  APPEND initrd=initrd.img  rd.live.image\n"
    assert parse_pxelinux(text, "default") == [
        MenuEntry("default", "node", "vmlinuz", "initrd=initrd.img rd.live.image")
    ]


@pytest.mark.parametrize(
    ("variables", "slot"),
    [
        ({"slot": "a"}, "a"),
        ({"slot": "b"}, "b"),
        ({"slot": "a", "trial": "b", "tries": "3"}, "b"),
        ({"slot": "a", "trial": "b", "tries": "0"}, "a"),
    ],
)
def test_a_disk_offers_the_slot_that_starts(tmp_path: Path, variables: dict[str, str], slot: str) -> None:
    """Its grubenv says which; title and arguments are those of the slot's own file."""
    contents = {
        "grub/grub.cfg": disk_menu("0123-ABCD", 5).encode(),
        "grub/grubenv": environment_block(**variables),
        "a/slot.cfg": slot_config("virtnode 1", ["root=a", "quiet"]).encode(),
        "b/slot.cfg": slot_config("virtnode 2", ["root=b"]).encode(),
        "EFI/debian/grub.cfg": b"configfile ($root)/grub/grub.cfg\n",
    }
    files = []
    for name, content in contents.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        files.append(StoredFile(f"/{name}", len(content), path))
    title, arguments = {"a": ("virtnode 1", "root=a quiet"), "b": ("virtnode 2", "root=b")}[slot]
    serial = "console=tty0 console=ttyS0,115200n8"
    rescue = "systemd.unit=rescue.target systemd.setenv=SYSTEMD_SULOGIN_FORCE=1"
    kernel = f"/{slot}/vmlinuz"
    told = " node.trial=b panic=10 rd.shell=0 rd.emergency=reboot" if variables.get("tries") == "3" else ""
    assert [(entry.title, entry.kernel, entry.arguments) for entry in read_menus(files)] == [
        (f"Start {title}", kernel, f"{arguments} $node_arguments{told}"),
        (f"Start {title} with serial console", kernel, f"{arguments} {serial} $node_arguments{told}"),
        ("Rescue shell", kernel, f"{arguments} {rescue} $node_arguments"),
    ]
