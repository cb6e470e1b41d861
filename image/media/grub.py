"""GRUB: boot menus for every medium, and core images for BIOS machines."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from image.media.areas import MENU_VARIABLE
from nodelib.run import run

SCREEN = ("console=ttyS0,115200n8", "console=tty0")
"""Both consoles, the screen being the main one."""
SERIAL = ("console=tty0", "console=ttyS0,115200n8")

RESCUE = ("systemd.unit=rescue.target", "systemd.setenv=SYSTEMD_SULOGIN_FORCE=1")
"""A root shell without a password, for root has none: whoever reaches the menu holds the machine anyway."""

LIVE = ("rd.live.image", "rd.live.overlay.overlayfs=1")
"""How dmsquash-live mounts the root: a squashfs below an overlay in memory."""

HEADER = """\
set default={default}
set timeout={timeout}
if serial --unit=0 --speed=115200; then
  terminal_input console serial
  terminal_output console serial
fi
"""

CUSTOM = """\
if [ -f {path} ]; then
  source {path}
fi
"""

ENTRY = """\
menuentry '{title}' --id {name} {{
  echo 'Loading {title} ...'
  linux {folder}/vmlinuz {arguments} ${variable}
  initrd {initrd}
}}
"""


INSTALLED = """
# A disk that this very medium was installed to starts by itself: the medium may stay in.
if search --no-floppy --file --set=installed /virtnode/done/{digits}; then
  set default=installed
  menuentry 'Start the installed system' --id installed {{
    set root=$installed
    configfile ($root)/grub/grub.cfg
  }}
fi
"""


@dataclass(frozen=True)
class Entry:
    """One line of a boot menu: an identifier, what a person reads, and the kernel's arguments."""

    name: str
    title: str
    arguments: tuple[str, ...]


def live_entries(title: str, root: str, extra: Sequence[str]) -> tuple[Entry, ...]:
    """List the menu of a medium that starts the node from `root`, a dracut `root=` value."""
    common = (f"root={root}", *LIVE, *extra)
    return (
        Entry("start", f"Start {title}", (*common, *SCREEN)),
        Entry("serial", f"Start {title} with serial console", (*common, *SERIAL)),
        Entry("install", f"Install {title} to disk", (*common, *SCREEN, "node.install=ask")),
        Entry(
            "rescue",
            "Rescue shell",
            (*common, *SCREEN, *RESCUE),
        ),
    )


def menu_text(
    entries: Sequence[Entry], *, timeout: int, folder: str, custom: str = "", archive: str = ""
) -> str:
    """Write grub.cfg; `folder` holds kernel and initramfs as GRUB sees them.

    `custom` is the file that more kernel arguments are read from, `archive` what goes before the initramfs.
    """
    header = HEADER.format(default=entries[0].name, timeout=timeout)
    blocks = [header + (CUSTOM.format(path=custom) if custom else "")]
    initrd = f"{archive} {folder}/initrd.img".strip()
    blocks += [
        ENTRY.format(
            title=entry.title,
            name=entry.name,
            folder=folder,
            arguments=" ".join(entry.arguments),
            variable=MENU_VARIABLE,
            initrd=initrd,
        )
        for entry in entries
    ]
    return "\n".join(blocks)


def installed_entry(label: str) -> str:
    """Write the entry for a disk that was installed from the medium with this label."""
    return INSTALLED.format(digits=label.rpartition("-")[2].lower())


CORE_MODULES = (
    "biosdisk", "configfile", "echo", "fat", "iso9660", "linux", "loadenv", "ls", "minicmd", "normal",
    "part_gpt", "part_msdos", "reboot", "halt", "search", "search_fs_file", "search_fs_uuid",
    "search_label", "serial", "sleep", "terminal", "test",
)  # fmt: skip


def make_core_image(modules: Path, target: str, prefix: str, early: str, output: Path) -> None:
    """Make GRUB's core image for BIOS: `target` is i386-pc or i386-pc-eltorito, `early` commands built in."""
    script = output.with_suffix(".cfg")
    script.write_text(early)
    argv: list[str | Path] = ["grub-mkimage", "--format", target, "--directory", modules, "--prefix", prefix]
    run([*argv, "--config", script, "--output", output, *CORE_MODULES])
    script.unlink()
