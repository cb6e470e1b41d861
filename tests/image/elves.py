"""Writes ELF files with nothing in them but what a dynamic loader reads."""

import struct
from collections.abc import Sequence
from pathlib import Path

X86_64 = 62

_NULL, _NEEDED, _STRTAB, _STRSZ, _RUNPATH = 0, 1, 5, 10, 29
_LOAD, _DYNAMIC, _INTERP = 1, 2, 3


def write_elf(
    root: Path,
    path: str,
    *,
    needed: Sequence[str] = (),
    runpath: str = "",
    interpreter: str = "",
    bits: int = 64,
    machine: int = X86_64,
) -> None:
    """Write a shared object that needs these libraries, at `path` of a tree."""
    strings = b"\0"
    entries = []
    for tag, text in [*((_NEEDED, name) for name in needed), *([(_RUNPATH, runpath)] if runpath else [])]:
        entries.append((tag, len(strings)))
        strings += text.encode() + b"\0"
    word, header_size, program_size = ("Q", 64, 56) if bits == 64 else ("I", 52, 32)
    interp_at = header_size + 3 * program_size
    strings_at = interp_at + len(interpreter) + 1
    dynamic_at = strings_at + len(strings)
    entries += [(_STRTAB, strings_at), (_STRSZ, len(strings)), (_NULL, 0)]
    dynamic = b"".join(struct.pack(f"<2{word}", *entry) for entry in entries)
    size = dynamic_at + len(dynamic)
    segments = [(_LOAD, 0, size), (_DYNAMIC, dynamic_at, len(dynamic))]
    segments += [(_INTERP, interp_at, len(interpreter) + 1)] if interpreter else []
    ident = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1, 1]) + bytes(9)
    numbers = (3, machine, 1, 0, header_size, 0, 0, header_size, program_size, len(segments), 0, 0, 0)
    header = ident + struct.pack(f"<HHI3{word}IHHHHHH", *numbers)
    table = b"".join(_program_header(bits, *segment) for segment in segments)
    body = header + table.ljust(3 * program_size, b"\0") + interpreter.encode() + b"\0" + strings + dynamic
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(body)
    file.chmod(0o755)


def _program_header(bits: int, kind: int, offset: int, size: int) -> bytes:
    if bits == 64:
        return struct.pack("<2I6Q", kind, 4, offset, offset, offset, size, size, 8)
    return struct.pack("<8I", kind, offset, offset, offset, size, size, 4, 4)
