"""A disk of one sector whose program works a processor as a system does, and says that it got through."""

EXIT_PORT = 0xF4
EXIT_VALUE = 0x10
EXIT_STATUS = EXIT_VALUE << 1 | 1
"""What QEMU's isa-debug-exit device makes of that value."""
LOADED_AT = 0x7C00
SECTOR, SIGNATURE = 512, b"\x55\xaa"

TIMER = (
    ("sti", "fb"),
    ("mov cx, 9", "b9 09 00"),
    ("hlt", "f4"),
    ("loop to the hlt", "e2 fd"),
    ("cli", "fa"),
)
"""Half a second of sleep: nine interrupts of the BIOS's timer."""
PAGE_TABLES = (
    ("xor ax, ax", "31 c0"),
    ("mov ds, ax", "8e d8"),
    ("mov es, ax", "8e c0"),
    ("mov di, 0x1000", "bf 00 10"),
    ("mov cx, 0x1800", "b9 00 18"),
    ("rep stosw", "f3 ab"),
    ("mov word [0x1000], 0x2003", "c7 06 00 10 03 20"),
    ("mov word [0x2000], 0x3003", "c7 06 00 20 03 30"),
    ("mov di, 0x3000", "bf 00 30"),
    ("mov eax, 0x83", "66 b8 83 00 00 00"),
    ("mov cl, 32", "b1 20"),
    ("mov [di], eax", "66 89 05"),
    ("add eax, 0x200000", "66 05 00 00 20 00"),
    ("add di, 8", "83 c7 08"),
    ("loop to the mov", "e2 f2"),
)
"""The first 64 MiB in pages of 2 MiB, each where it is."""
LONG_MODE = (
    ("mov eax, 0x20", "66 b8 20 00 00 00"),
    ("mov cr4, eax", "0f 22 e0"),
    ("mov eax, 0x1000", "66 b8 00 10 00 00"),
    ("mov cr3, eax", "0f 22 d8"),
    ("mov ecx, 0xc0000080", "66 b9 80 00 00 c0"),
    ("rdmsr", "0f 32"),
    ("or ah, 1", "80 cc 01"),
    ("wrmsr", "0f 30"),
    ("lgdt [0x7cb0]", "66 0f 01 16 b0 7c"),
    ("mov eax, 0x80000011", "66 b8 11 00 00 80"),
    ("mov cr0, eax", "0f 22 c0"),
    ("jmp 8:0x7c6e", "ea 6e 7c 08 00"),
)
"""Paging and 64 bits; the jump goes to what follows."""
MEMORY = (
    ("mov edi, 0x200000", "bf 00 00 20 00"),
    ("mov ecx, 0x780000", "b9 00 00 78 00"),
    ("mov eax, 0xa5", "b8 a5 00 00 00"),
    ("rep stosq", "f3 48 ab"),
    ("cmp [rdi - 8], rax", "48 39 47 f8"),
    ("jne to itself", "75 fe"),
)
"""60 MiB are written."""
EXITS = (
    ("mov ebp, 1000", "bd e8 03 00 00"),
    ("xor eax, eax", "31 c0"),
    ("cpuid", "0f a2"),
    ("dec ebp", "ff cd"),
    ("jne to the xor", "75 f8"),
    ("mov al, EXIT_VALUE", f"b0 {EXIT_VALUE:02x}"),
    ("out EXIT_PORT, al", f"e6 {EXIT_PORT:02x}"),
    ("hlt", "f4"),
    ("jmp to the hlt", "eb fd"),
)
"""The hypervisor is asked a thousand times, and told the end."""
DESCRIPTORS_AT = 0xA0
DESCRIPTORS = bytes(8) + (0x00209A0000000000).to_bytes(8, "little")
"""None, and one for code of 64 bits."""


def boot_sector() -> bytes:
    """Make the sector: its program writes EXIT_VALUE to EXIT_PORT, then halts."""
    lines = (*TIMER, *PAGE_TABLES, *LONG_MODE, *MEMORY, *EXITS)
    program = bytes.fromhex("".join(code for _, code in lines)).ljust(DESCRIPTORS_AT, b"\0")
    table = (len(DESCRIPTORS) - 1).to_bytes(2, "little") + (LOADED_AT + DESCRIPTORS_AT).to_bytes(4, "little")
    return (program + DESCRIPTORS + table).ljust(SECTOR - len(SIGNATURE), b"\0") + SIGNATURE
