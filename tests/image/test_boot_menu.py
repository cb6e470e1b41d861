"""Boot menus, as GRUB and PXELINUX would read them."""

from image.boot_menu import MenuEntry, parse_grub, parse_pxelinux


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
