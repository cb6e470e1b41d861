"""How fast QEMU can run a machine here: KVM where it is proven to work, else QEMU's own emulation."""

import logging
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from image.boot_sector import EXIT_PORT, EXIT_STATUS, boot_sector
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run

logger = logging.getLogger(__name__)

PROGRAM = "qemu-system-x86_64"

PROOF_SECONDS = 3.0
"""How long KVM may take for BIOS and sector, which sleeps half of one; a sound host needs about one."""
PROOFS = 3
"""How often in a row: some hosts' KVM runs a machine now, and loses the next one."""

NOT_EMULATED = (
    *("3dnowprefetch", "fxsr-opt", "misalignsse", "nrip-save", "osvw"),
    *("rdseed", "sha-ni", "topoext", "xsavec"),
)
"""What the processor model has and QEMU cannot emulate: each would be a warning on the user's terminal."""


@dataclass(frozen=True)
class Accelerator:
    """QEMU's program, and the options that say how it runs the processor."""

    program: str
    name: str
    options: tuple[str, ...]

    @property
    def emulated(self) -> bool:
        """Tell whether the processor is emulated."""
        return self.name != "kvm"


def choose_accelerator(program: str = PROGRAM, *, kvm: Path = Path("/dev/kvm")) -> Accelerator:
    """Choose KVM if it proved itself here just now, else emulation with AMD's SVM for nested guests.

    Raises VirtnodeError (unavailable) when QEMU is not installed.
    """
    version = find_version(program)
    if kvm.exists() and all(prove_kvm(program) for _ in range(PROOFS)):
        return kvm_accelerator(program)
    logger.info("KVM does not work here: machines are emulated, about ten times slower")
    return emulator(version, program)


def kvm_accelerator(program: str = PROGRAM) -> Accelerator:
    """Return the options for KVM with the host's own processor."""
    return Accelerator(program, "kvm", ("-accel", "kvm", "-cpu", "host"))


def emulator(version: tuple[int, int], program: str = PROGRAM) -> Accelerator:
    """Return the options for emulating a processor that can itself run KVM guests."""
    # QEMU 7's emulated cmpxchg16b breaks Linux 6.12 within seconds of its start.
    absent = (*NOT_EMULATED, "cx16") if version < (8, 0) else NOT_EMULATED
    processor = ",".join(("EPYC", "+svm", "+npt", *(f"-{feature}" for feature in absent)))
    return Accelerator(program, "tcg", ("-accel", "tcg,thread=multi", "-cpu", processor))


def find_version(program: str = PROGRAM) -> tuple[int, int]:
    """Return QEMU's major and minor version."""
    try:
        output = run([program, "--version"]).stdout
    except VirtnodeError as error:
        if error.code is not Code.UNAVAILABLE:
            raise
        raise VirtnodeError(
            Code.UNAVAILABLE,
            f"{program} is not installed",
            "install the package qemu-system-x86 (Debian) or qemu-system-x86-core (Fedora)",
        ) from error
    match = re.search(r"version (\d+)\.(\d+)", output)
    if not match:
        raise VirtnodeError(Code.FAILED, f"{program} does not say its version: {output.strip()!r}")
    return int(match[1]), int(match[2])


def proof_command(accelerator: Accelerator, disk: Path) -> tuple[str, ...]:
    """Return the command that boots the sector and ends with EXIT_STATUS if it ran."""
    return (
        *(accelerator.program, "-no-user-config", "-nodefaults"),
        *("-machine", "pc", "-m", "64", "-display", "none"),
        *accelerator.options,
        *("-device", f"isa-debug-exit,iobase={EXIT_PORT:#x},iosize=4"),
        *("-drive", f"if=ide,format=raw,snapshot=on,file={disk}"),
    )


def prove_kvm(program: str = PROGRAM) -> bool:
    """Say whether KVM runs a boot sector in time: some hosts' /dev/kvm opens, and then hangs or aborts."""
    with tempfile.TemporaryDirectory(prefix="virtnode-kvm-") as folder:
        disk = Path(folder, "sector")
        disk.write_bytes(boot_sector())
        try:
            result = run(proof_command(kvm_accelerator(program), disk), check=False, timeout=PROOF_SECONDS)
        except VirtnodeError as error:
            logger.debug("KVM gave no proof: %s", error)
            return False
    return result.status == EXIT_STATUS
