"""The boot menu of a disk with two slots: it counts the tries of a slot on trial, and goes back by itself."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nodelib.errors import Code, VirtnodeError

ENVIRONMENT_BYTES = 1024
ENVIRONMENT_HEADER = "# GRUB Environment Block\n"
KERNEL_ROOM = 2047
"""Letters of a kernel's command line on x86-64: it cuts off what comes after them, and says nothing."""
MENU_ROOM = 128
"""How many of these the menu takes: the kernel's name, consoles, what a trial or a rescue needs."""
TRIES = 3
"""How often a slot on trial is started before the other one is again."""
ARGUMENTS_FILE = "grub/custom.cfg"
"""What a disk image has for kernel arguments of both slots; its script sets ARGUMENTS_VARIABLE."""
ARGUMENTS_VARIABLE = "node_arguments"
SLOTS = ("a", "b")
TRIAL_VARIABLE = "try"
"""What the menu gives the kernel of a slot on trial."""
TRIAL_ARGUMENT = "node.trial"
"""Kernel argument of a slot on trial: its name."""
TRIAL_ARGUMENTS = ("panic=10", "rd.shell=0", "rd.emergency=reboot")
"""What else the kernel of a slot on trial is told: what fails before the node's own watch runs restarts."""

MENU = """\
# Written once; an update leaves it as it is. What belongs to one slot stands in /a/slot.cfg and /b/slot.cfg;
# which slot starts stands in /grub/grubenv: slot, on trial also trial and tries, and failed after it.
search --no-floppy --fs-uuid --set=root {identifier}
set timeout={timeout}
set default=start
if serial --unit=0 --speed=115200; then
  terminal_input console serial
  terminal_output console serial
fi
if [ ! -d /virtnode/done ]; then
  echo 'This disk holds an installation that never ended. Going on to the next boot device ...'
  sleep 3
  exit
fi
set slot=a
load_env --file ($root)/grub/grubenv slot trial tries failed
if [ -n "$trial" ]; then
  if [ ! -f /$trial/slot.cfg ]; then
    set tries=
  fi
{countdown}\
  else
    set failed=$trial
    set trial=
  fi
  save_env --file ($root)/grub/grubenv trial tries failed
fi
if [ ! -f /$slot/slot.cfg ]; then
  if [ "$slot" = a ]; then
    set slot=b
  else
    set slot=a
  fi
  set trial=
fi
if [ -n "$trial" ]; then
  set try="{argument}=$trial {more}"
fi
source ($root)/$slot/slot.cfg
if [ -f ($root)/{custom} ]; then
  source ($root)/{custom}
fi

menuentry "Start $title" --id start {{
  echo "Loading $title ..."
  linux /$slot/vmlinuz $arguments ${added} $try
  initrd /$slot/initrd.img
}}

menuentry "Start $title with serial console" --id serial {{
  echo "Loading $title ..."
  linux /$slot/vmlinuz $arguments console=tty0 console=ttyS0,115200n8 ${added} $try
  initrd /$slot/initrd.img
}}

menuentry "Rescue shell" --id rescue {{
  echo "Loading $title ..."
  linux /$slot/vmlinuz $arguments systemd.unit=rescue.target systemd.setenv=SYSTEMD_SULOGIN_FORCE=1 ${added}
  initrd /$slot/initrd.img
}}

if [ -n "$trial" ]; then
  # A kernel that is not there, or that the firmware does not trust: the menu would wait for somebody.
  # GRUB knows the entry to fall back to by its place alone.
  set fallback=3
  menuentry "Restart: the next try, or the system before" --id again {{
    echo 'The system on trial cannot be loaded. Restarting ...'
    sleep 10
    reboot
  }}
fi
"""
COUNT = """\
  {word} [ "$tries" = {left} ]; then
    set tries={after}
    set slot=$trial
"""
WORD = re.compile(r'(?:"[^"]*"|[^\s"])+')
STUB = """\
search --no-floppy --fs-uuid --set=root {identifier}
configfile ($root)/grub/grub.cfg
"""


def disk_menu(identifier: str, timeout: int) -> str:
    """Write grub.cfg of a disk; `identifier` is its boot partition's, as XXXX-XXXX."""
    countdown = "".join(
        COUNT.format(word="if" if left == TRIES else "elif", left=left, after=left - 1)
        for left in range(TRIES, 0, -1)
    )
    return MENU.format(
        identifier=identifier,
        timeout=timeout,
        countdown=countdown,
        custom=ARGUMENTS_FILE,
        added=ARGUMENTS_VARIABLE,
        argument=TRIAL_ARGUMENT,
        more=" ".join(TRIAL_ARGUMENTS),
    )


def boot_identifier(serial: int) -> str:
    """Write a FAT file system's 32 bits as GRUB does: XXXX-XXXX."""
    return f"{serial >> 16:04X}-{serial & 0xFFFF:04X}"


def menu_stub(identifier: str) -> str:
    """Write the file that leads a signed GRUB, wherever it looks, to the disk's menu."""
    return STUB.format(identifier=identifier)


def check_length(arguments: Sequence[str]) -> None:
    """Raise VirtnodeError (invalid) for a slot's arguments that the kernel would cut off."""
    size, room = len(" ".join(arguments)), KERNEL_ROOM - MENU_ROOM
    if size > room:
        raise VirtnodeError(
            Code.INVALID,
            f"the kernel arguments have {size} letters, and there is room for {room}",
            "leave some out of the medium's; what begins with node. can stand in node.toml",
        )


def slot_config(title: str, arguments: Sequence[str]) -> str:
    """Write slot.cfg: what a slot is called, and what its kernel is told."""
    return f"set title={quoted(title)}\nset arguments={quoted(' '.join(arguments))}\n"


@dataclass(frozen=True)
class SlotConfig:
    """What slot.cfg says."""

    title: str
    arguments: tuple[str, ...]


def read_slot_config(text: str) -> SlotConfig:
    """Read slot.cfg back; raises VirtnodeError (failed) for what `slot_config` did not write."""
    found = dict(re.findall(r"^set (\w+)=('.*')$", text, re.MULTILINE))
    if "title" not in found or "arguments" not in found:
        raise VirtnodeError(Code.FAILED, "slot.cfg cannot be read", "install again, with --keep")
    title, arguments = (found[name][1:-1].replace("'\\''", "'") for name in ("title", "arguments"))
    return SlotConfig(title, tuple(WORD.findall(arguments)))


def quoted(text: str) -> str:
    """Quote a text for GRUB."""
    return "'" + text.replace("'", "'\\''") + "'"


def environment_block(**variables: str) -> bytes:
    """Write a file that GRUB's load_env reads and its save_env fills in."""
    lines = "".join(f"{name}={value}\n" for name, value in variables.items())
    return (ENVIRONMENT_HEADER + lines).encode().ljust(ENVIRONMENT_BYTES, b"#")


def read_environment(block: bytes) -> dict[str, str]:
    """Read GRUB's environment; raises VirtnodeError (failed) for what is none."""
    if len(block) != ENVIRONMENT_BYTES or not block.startswith(ENVIRONMENT_HEADER.encode()):
        raise VirtnodeError(
            Code.FAILED, "the boot menu's environment cannot be read", "install again, with --keep"
        )
    lines = block[len(ENVIRONMENT_HEADER) :].decode(errors="replace").splitlines()
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {name: value for name, equals, value in pairs if equals}
