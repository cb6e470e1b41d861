"""A virtual machine of 512 bytes for a node: it greets on its serial port, and repeats what it gets."""

import base64

from tests.vm.guest import Guest

NAME, UUID = "greeter", "6f1c9d2e-0b7a-4c58-9a54-7d1f3e5b8c21"
GREETING = "Good day from the guest."
IMAGE = "/var/lib/libvirt/images/greeter.img"
START = 0x7C00
"""Where the firmware puts the first sector of a disk."""
HEAD = bytes.fromhex(
    "fc"  # cld
    "31c0"  # xor ax, ax
    "8ed8"  # mov ds, ax
    "fb"  # sti
)
GREET = bytes.fromhex(
    "be0000"  # greet: mov si, text; the address is put in below
    "baf803"  # mov dx, 0x3f8: the data of the first serial port
    "ac"  # say: lodsb
    "84c0"  # test al, al
    "7403"  # jz wait
    "ee"  # out dx, al
    "ebf8"  # jmp say
)
REPEAT = bytes.fromhex(
    "f4"  # wait: hlt, until the clock ticks; it leaves the node's processor alone meanwhile
    "bafd03"  # mov dx, 0x3fd: the state of the port
    "ec"  # in al, dx
    "a801"  # test al, 1: has a byte come?
    "74f7"  # jz wait
    "baf803"  # mov dx, 0x3f8
    "ec"  # in al, dx
    "ee"  # out dx, al
    "3c0d"  # cmp al, 13
    "74e0"  # je greet: Enter brings the greeting once more
    "ebec"  # jmp wait
)
DOMAIN = f"""\
<domain type='qemu'>
  <name>{NAME}</name>
  <uuid>{UUID}</uuid>
  <memory unit='MiB'>32</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='{IMAGE}'/>
      <target dev='sda' bus='sata'/>
    </disk>
    <serial type='pty'/>
    <memballoon model='none'/>
  </devices>
</domain>
"""


def boot_sector() -> bytes:
    """Put the sector together: the program, its text, the firmware's mark."""
    code = HEAD + GREET + REPEAT
    place = (START + len(code)).to_bytes(2, "little")
    code = code.replace(b"\xbe\0\0", b"\xbe" + place)
    return (code + f"\r\n{GREETING}\r\n\0".encode()).ljust(510, b"\0") + b"\x55\xaa"


def define_greeter(node: Guest) -> None:
    """Let the node's libvirt know it; emulated, for that takes no part in what a node is tested for here."""
    sector = base64.b64encode(boot_sector()).decode()
    node.run(f"echo {sector} | base64 -d >{IMAGE} && truncate -s 1M {IMAGE}")
    node.run(f"cat >/run/greeter.xml <<'END'\n{DOMAIN}END\nvirsh define /run/greeter.xml")
