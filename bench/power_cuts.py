"""What losses of power do to a node's disk: `python -m bench.power_cuts OUT`, the folder of a build.

An installation, an update with its trial, and an installation over it that keeps the state run once each in
QEMU, which keeps every write and every flush. A loss of power is a random point in that record: all that was
flushed is on the disk, and of what came after the last flush each write is there or not, by chance. From each
such disk a machine is started, without help. Ends with status 1 if one does not start or has lost its state.
"""

import argparse
import contextlib
import json
import random
import struct
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.figures import markdown_table
from bench.machine import print_machine
from image.accelerator import Accelerator, choose_accelerator
from image.netboot import serve_folder
from nodelib.run import run
from tests.update_bundles import public_pem
from tests.vm.guest import BOOT_SECONDS, Boot, Guest, Hardware, cd_options, kernel_boot, wait_until
from tests.vm.test_install import INSTALL_SECONDS, SERIAL, make_disk, wait_for_agent
from tests.vm.test_update import KEPT_SECONDS, serve_bundle, trust, wait_for_state

LOG_MAGIC = 0x6A736677736872
HEAD = struct.Struct("<QQQI")
ENTRY = struct.Struct("<QQQQ")
FLUSH, FUA, DISCARD = 1, 2, 4
SECTOR = 512
MARK = "/var/lib/virtnode/before-the-cut"
WORD = "kept through every loss of power"


@dataclass(frozen=True)
class Write:
    """One entry of a record: where on the disk, how much, and where in the record its bytes are."""

    offset: int
    size: int
    flags: int
    place: int


@dataclass(frozen=True)
class Cut:
    """One loss of power, and what the machine started afterwards."""

    phase: str
    point: int
    started: str
    """`disk`, `medium`, or empty for a machine that did not start."""
    has_state: bool


def read_writes(log: Path) -> list[Write]:
    """Read QEMU's record of writes, in the format of the kernel's dm-log-writes."""
    found: list[Write] = []
    with log.open("rb") as file:
        magic, _, _, sector = HEAD.unpack(file.read(HEAD.size))
        assert magic == LOG_MAGIC, f"{log} is no record of writes"
        place = sector
        while True:
            file.seek(place)
            head = file.read(ENTRY.size)
            if len(head) < ENTRY.size:
                return found
            first, count, flags, _ = ENTRY.unpack(head)
            place += sector
            if not count and not flags:
                return found
            found.append(Write(first * sector, count * sector, flags, place))
            if not flags & DISCARD:
                place += count * sector


def pick_writes(writes: Sequence[Write], point: int, chance: random.Random) -> Iterator[Write]:
    """Return what is on the disk if the power goes after `point` entries."""
    flushed = max((at for at in range(point) if writes[at].flags & (FLUSH | FUA)), default=-1)
    for at, write in enumerate(writes[:point]):
        if at <= flushed or chance.random() < 0.5:
            yield write


def lay_disk(base: Path, log: Path, writes: Iterator[Write], target: Path) -> None:
    """Write a disk as the cut has left it."""
    run(["cp", "--sparse=always", base, target])
    with log.open("rb") as source, target.open("r+b") as disk:
        for write in writes:
            source.seek(write.place)
            disk.seek(write.offset)
            disk.write(bytes(write.size) if write.flags & DISCARD else source.read(write.size))


@dataclass(frozen=True)
class Record:
    """What was written while something went on, and how a machine is started that was cut off in it."""

    name: str
    base: Path
    log: Path
    begin: int
    """The entry before which nothing is cut."""
    options: tuple[str, ...]
    state: str
    """What the state says of itself; empty where there was none before."""
    seconds: float
    """How long the writing took, in the machine."""


@dataclass(frozen=True)
class Job:
    """One loss of power to try: after this share of a record's writes."""

    record: Record
    number: int
    share: float


NOTES = "records.json"
KEPT_STATE = "/dev/disk/by-partlabel/virtnode-state"
"""Where it is while the medium runs: nobody has mounted it then."""
STATE = f"cat {MARK}; sha256sum </var/lib/virtnode/identity/key.pem"


def main() -> int:
    """Record, cut, start, and print the table; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.power_cuts", description=__doc__)
    parser.add_argument("out", type=Path, help="the folder of a finished build")
    parser.add_argument("--cuts", type=int, default=50, metavar="N", help="losses of power (default: 50)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="machines at a time (default: 2)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the chance (default: 1)")
    parser.add_argument("--records", type=Path, metavar="DIR", help="keep the records there, or use them")
    arguments = parser.parse_args()
    print_machine()
    accelerator = choose_accelerator()
    print(f"emulation: {accelerator.name}; seed {arguments.seed}\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="vn-", dir="/tmp") as name:
        folder = Path(name)
        records = find_records(arguments.out, arguments.records or folder, accelerator)
        print(records_table(records) + "\n", flush=True)
        chance = random.Random(arguments.seed)
        numbers = range(arguments.cuts)
        jobs = [Job(records[number % len(records)], number, chance.random()) for number in numbers]
        with ThreadPoolExecutor(arguments.jobs) as pool:
            cuts = list(pool.map(lambda job: cut_off(job, folder, accelerator), jobs))
    print("\n" + cuts_table(cuts))
    return 0 if all(cut.started and cut.has_state for cut in cuts) else 1


def find_records(out: Path, folder: Path, accelerator: Accelerator) -> tuple[Record, ...]:
    """Use the records of a folder, or make them there."""
    notes = folder / NOTES
    if notes.exists():
        medium = cd_options(next(out.glob("*.iso")))
        return tuple(
            Record(
                row["name"],
                folder / row["base"],
                folder / row["log"],
                row["begin"],
                medium if row["starts_medium"] else (),
                row["state"],
                row["seconds"],
            )
            for row in json.loads(notes.read_text())
        )
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise SystemExit(f"{folder} has no whole recording, and is not empty: empty it, or name another one")
    installation = record_installation(out, folder, accelerator)
    update = record_update(out, folder, accelerator)
    again = record_reinstallation(out, folder, accelerator, update.state)
    records = (installation, update, again)
    rows = [
        {
            "name": record.name,
            "base": record.base.name,
            "log": record.log.name,
            "begin": record.begin,
            "starts_medium": bool(record.options),
            "state": record.state,
            "seconds": record.seconds,
        }
        for record in records
    ]
    notes.write_text(json.dumps(rows, indent=1))
    return records


def guest(
    folder: Path, disk: Path, options: tuple[str, ...], accelerator: Accelerator, log: Path | None
) -> Guest:
    """Lay out a machine whose firmware tries the disk first, unless QEMU itself starts a kernel."""
    folder.mkdir(exist_ok=True)
    uuid = "5f6c1d0e-0000-4000-8000-000000000001"
    hardware = Hardware(folder, uuid, state=disk, write_log=log, state_starts="-kernel" not in options)
    return Guest(hardware, Boot(options), accelerator)


@contextlib.contextmanager
def switched_on(node: Guest) -> Iterator[Guest]:
    """Switch a machine on, and pull its plug in the end."""
    node.switch_on()
    try:
        yield node
    finally:
        node.pull_the_plug()


def record_installation(out: Path, folder: Path, accelerator: Accelerator) -> Record:
    """Install to a blank disk."""
    (folder / "i").mkdir()
    base, log = folder / "blank.img", folder / "install.log"
    disk = make_disk(folder / "i")
    run(["cp", "--sparse=always", disk, base])
    options = kernel_boot(out, folder / "i", ("node.install=ask",)).options
    with switched_on(guest(folder / "i", disk, options, accelerator, log)) as node:
        wait_for_agent(node)
        began = time.monotonic()
        node.run(f"virtnodectl install run smallest --confirm {SERIAL[-4:]}", seconds=INSTALL_SECONDS)
        seconds = time.monotonic() - began
        check_record(node)
    return Record("install", base, log, 0, cd_options(next(out.glob("*.iso"))), "", seconds)


def record_update(out: Path, folder: Path, accelerator: Accelerator) -> Record:
    """Start the installed disk, give it something to keep, then update it until the new image is kept."""
    base, log, disk = folder / "installed.img", folder / "update.log", folder / "i/disk.img"
    with switched_on(guest(folder / "i", disk, (), accelerator, None)) as node:
        wait_for_agent(node)
        node.run(f"echo '{WORD}' >{MARK}; sync")
        said = node.run(STATE)
        node.run("systemctl poweroff || true")
        wait_until(node.has_ended, BOOT_SECONDS, "the machine to switch itself off")
    run(["cp", "--sparse=always", disk, base])
    served = folder / "served"
    served.mkdir()
    with serve_folder(served) as port, switched_on(guest(folder / "i", disk, (), accelerator, log)) as node:
        wait_for_agent(node)
        node.run(trust(public_pem().decode()))
        url = serve_bundle(out, served, port, node, "next")
        begin, began = len(read_writes(log)), time.monotonic()
        node.run(f"virtnodectl update --no-restart {url}", seconds=INSTALL_SECONDS)
        seconds = time.monotonic() - began
        check_record(node)
        node.run("systemctl reboot || true")
        wait_for_state(node, "next", "kept", KEPT_SECONDS)
        check_record(node)
    return Record("update", base, log, begin, (), said, seconds)


def record_reinstallation(out: Path, folder: Path, accelerator: Accelerator, state: str) -> Record:
    """Install once more over the updated disk, and keep what it holds of the node."""
    base, log, disk = folder / "updated.img", folder / "reinstall.log", folder / "i/disk.img"
    run(["cp", "--sparse=always", disk, base])
    (folder / "r").mkdir()
    options = kernel_boot(out, folder / "r", ("node.install=ask",)).options
    with switched_on(guest(folder / "r", disk, options, accelerator, log)) as node:
        wait_for_agent(node)
        began = time.monotonic()
        command = f"virtnodectl install run smallest --keep --confirm {SERIAL[-4:]}"
        node.run(command, seconds=INSTALL_SECONDS)
        seconds = time.monotonic() - began
        check_record(node)
    return Record("reinstall", base, log, 0, cd_options(next(out.glob("*.iso"))), state, seconds)


def check_record(node: Guest) -> None:
    """See that no write failed: the record would lack it."""
    assert "I/O error" not in node.run("journalctl --dmesg --boot --no-pager")


def cut_off(job: Job, folder: Path, accelerator: Accelerator) -> Cut:
    """Lay the disk of one loss of power, and start a machine from it."""
    record, number = job.record, job.number
    writes = read_writes(record.log)
    point = record.begin + int(job.share * (len(writes) - record.begin))
    disk = folder / f"cut-{number}.img"
    lay_disk(record.base, record.log, pick_writes(writes, point, random.Random(number)), disk)
    started, said = "", ""
    machine = guest(folder / f"c{number}", disk, record.options, accelerator, None)
    what = ""
    try:
        with switched_on(machine) as node:
            started, said = look_at(node, record)
    except (AssertionError, TimeoutError) as error:
        what = f": {error}"
    disk.unlink()
    cut = Cut(record.name, point, started, not record.state or said == record.state)
    print(f"{number + 1}: {cut.phase} cut at {cut.point}: {started or f'DID NOT START{what}'}", flush=True)
    return cut


def look_at(node: Guest, record: Record) -> tuple[str, str]:
    """Wait until a machine has started, and return by what, and what the state says of itself."""
    node.wait_for_shell()
    is_disk = "node.state=" in node.run("cat /proc/cmdline")
    if is_disk:
        wait_until(lambda: _is_mounted(node), BOOT_SECONDS, "the state")
    elif record.state:
        wait_until(lambda: _is_there(node), BOOT_SECONDS, "the partition with the state")
        node.run(f"mkdir -p /var/lib/virtnode && mount -o ro {KEPT_STATE} /var/lib/virtnode")
    return "disk" if is_disk else "medium", node.try_run(STATE)[1]


def _is_there(node: Guest) -> bool:
    return node.try_run(f"test -e {KEPT_STATE}")[0] == 0


def _is_mounted(node: Guest) -> bool:
    return node.try_run("findmnt /var/lib/virtnode")[0] == 0


def records_table(records: Sequence[Record]) -> str:
    """Draw a row for each record: how long it took, and what was written, the starts after it included."""
    rows = []
    for record in records:
        writes = read_writes(record.log)[record.begin :]
        size = sum(write.size for write in writes if not write.flags & DISCARD)
        rows.append([record.name, f"{record.seconds:.0f}", f"{size / 1e6:.0f}", str(len(writes))])
    return markdown_table(["", "seconds", "MB written", "writes and flushes"], rows)


def cuts_table(cuts: Sequence[Cut]) -> str:
    """Draw a row for each phase."""
    rows = []
    for phase in dict.fromkeys(cut.phase for cut in cuts):
        found = [cut for cut in cuts if cut.phase == phase]
        starts = [cut.started for cut in found]
        lost = [cut for cut in found if not cut.has_state]
        rows.append([phase, *map(str, (len(found), *map(starts.count, ("disk", "medium", "")), len(lost)))])
    header = ("cut off in", "losses of power", "started the disk", "started the medium", "did not start")
    return markdown_table([*header, "lost state"], rows)


if __name__ == "__main__":
    raise SystemExit(main())
