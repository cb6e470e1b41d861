"""The PXE folder: kernel and initramfs by TFTP or HTTP, the root by HTTP, menus for three loaders."""

import shutil
from pathlib import Path

from image.media import Payload
from image.media.areas import MENU_VARIABLE, PXE_ARCHIVE, pack_archive
from image.media.grub import Entry, live_entries, menu_text
from image.media.iso import link_or_copy
from nodelib.config_area import ConfigArea

NETWORK = ("ip=dhcp", "rd.neednet=1")
ROOT = "rootfs.squashfs"

IPXE = """\
#!ipxe
# The folder that holds this script, as served by HTTP. Change this line when it is not the boot server's top.
set base {base}
# Kernel arguments of every entry, as virtnode-image customize writes them.
set {variable}
menu {title}
{items}
choose --timeout {milliseconds} --default {default} target && goto ${{target}} || shell
{targets}"""
IPXE_TARGET = """
:{name}
kernel ${{base}}/vmlinuz initrd={archive} initrd=initrd.img {arguments} ${{{variable}}}
initrd ${{base}}/{archive}
initrd ${{base}}/initrd.img
boot
"""

GRUB = """\
# The folder that holds this file, as served by HTTP. Change this line when it is not the boot server's top.
set base={base}
# Kernel arguments of every entry, as virtnode-image customize writes them.
set {variable}=''

"""

PXELINUX = """\
# PXELINUX knows no variables: put the address of your web server after "live:" in each line.
# The next line repeats what virtnode-image customize added to each APPEND.
#{variable}=
DEFAULT {default}
PROMPT 1
TIMEOUT {tenths}

{labels}"""
PXELINUX_LABEL = """\
LABEL {name}
  MENU LABEL {title}
  KERNEL vmlinuz
  INITRD {archive},initrd.img
  APPEND {arguments}

"""
PXELINUX_SERVER = "http://boot-server"
"""What stands in PXELINUX's file when the build is not told the address: a name to give the server in DNS."""


def make_pxe(payload: Payload, workspace: Path, output: Path) -> list[Path]:
    """Write the folder pxe/ into `output` and return its files."""
    del workspace
    folder = output / "pxe"
    (folder / "pxelinux.cfg").mkdir(parents=True)
    shutil.copyfile(payload.kernel, folder / "vmlinuz")
    shutil.copyfile(payload.network_initramfs, folder / "initrd.img")
    (folder / PXE_ARCHIVE).write_bytes(pack_archive(ConfigArea(), payload.epoch))
    link_or_copy(payload.rootfs, folder / ROOT)
    # UEFI machines load shim, which loads GRUB under this name from the same folder.
    shutil.copyfile(payload.boot.shim, folder / "shimx64.efi")
    shutil.copyfile(payload.boot.grub_network, folder / "grubx64.efi")
    # What an installation from here puts on the disk: GRUB from the network would look for its menu there.
    (folder / "install").mkdir()
    shutil.copyfile(payload.boot.grub_removable, folder / "install/grubx64.efi")
    (folder / "boot.ipxe").write_text(ipxe_script(payload))
    (folder / "grub.cfg").write_text(grub_config(payload))
    (folder / "grub").mkdir()
    (folder / "grub/grub.cfg").write_text("configfile /grub.cfg\n")
    (folder / "pxelinux.cfg/default").write_text(pxelinux_config(payload))
    return sorted(path for path in folder.rglob("*") if path.is_file())


def menu_entries(payload: Payload, base: str) -> tuple[Entry, ...]:
    """List the menu with the root below `base`, an address or a loader's variable."""
    return live_entries(payload.title, f"live:{base}/{ROOT}", (*NETWORK, *payload.kernel_arguments))


def ipxe_script(payload: Payload) -> str:
    """Write boot.ipxe: everything by HTTP from one address."""
    entries = menu_entries(payload, "${base}")
    return IPXE.format(
        base=payload.pxe_url or "http://${next-server}",
        title=payload.title,
        variable=MENU_VARIABLE,
        items="\n".join(f"item {entry.name} {entry.title}" for entry in entries),
        milliseconds=max(payload.menu_timeout * 1000, 1),
        default=entries[0].name,
        targets="".join(
            IPXE_TARGET.format(
                name=entry.name,
                arguments=" ".join(entry.arguments),
                archive=PXE_ARCHIVE,
                variable=MENU_VARIABLE,
            )
            for entry in entries
        ),
    )


def grub_config(payload: Payload) -> str:
    """Write grub.cfg: kernel and initramfs from where GRUB itself came, the root by HTTP."""
    base = payload.pxe_url or "http://$net_default_server"
    entries = menu_entries(payload, "$base")
    menu = menu_text(entries, timeout=payload.menu_timeout, folder="", archive=f"/{PXE_ARCHIVE}")
    return GRUB.format(base=base, variable=MENU_VARIABLE) + menu


def pxelinux_config(payload: Payload) -> str:
    """Write pxelinux.cfg/default."""
    entries = menu_entries(payload, payload.pxe_url or PXELINUX_SERVER)
    labels = (
        PXELINUX_LABEL.format(
            name=entry.name,
            title=entry.title,
            arguments=" ".join(entry.arguments),
            archive=PXE_ARCHIVE,
        )
        for entry in entries
    )
    return PXELINUX.format(
        default=entries[0].name,
        tenths=max(payload.menu_timeout * 10, 1),
        labels="".join(labels),
        variable=MENU_VARIABLE,
    )
