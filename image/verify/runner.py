"""`virtnode-image verify`: boot media in every way they are made for, and collect the verdicts."""

import contextlib
import dataclasses
import logging
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from image.accelerator import Accelerator, choose_accelerator
from image.attachment import attach, find_bootable
from image.firmware import prepare_firmware
from image.medium import Kind
from image.qemu import Bus, Drive, Machine, Port, Socket, qemu_command
from image.verify.allowed import load_allowed_lines
from image.verify.inquiry import PORT, SAME_ADDRESSES, inquiry, write_credentials
from image.verify.kvm_guest import DISK_SERIAL, make_guest_disk
from image.verify.matrix import CASES, Case
from image.verify.node import NodeSockets, dump_screen, start_node, watch_node
from image.verify.report import Report, parse_report
from image.verify.verdict import Ending, Verdict, judge, lost_machine
from nodelib.errors import Code, InvalidInput, VirtnodeError

logger = logging.getLogger(__name__)

DEADLINE_SECONDS = 600.0
"""How long a node may take from the machine's start to the end of its report."""


@dataclass(frozen=True)
class Setup:
    """How cases are run."""

    accelerator: Accelerator
    evidence: Path
    """The directory that gets one folder for each failure."""
    deadline: float = DEADLINE_SECONDS
    credentials: Mapping[str, str] = field(default_factory=dict)
    """Given to the node beside the inquiry, as text by name."""
    interrupted: threading.Event = field(default_factory=threading.Event)
    """Once set, running machines are ended and nothing is tried again."""


def verify_artefacts(
    path: Path,
    *,
    media: Sequence[str] = (),
    jobs: int = 2,
    evidence: Path | None = None,
    deadline: float = DEADLINE_SECONDS,
    on_verdict: Callable[[Verdict], None] = lambda verdict: None,
) -> tuple[Verdict, ...]:
    """Boot an artefact, or all of a build's folder, as every medium it can be, `jobs` at a time.

    `media` picks rows of the matrix; `deadline` is in seconds for each; `on_verdict` hears each verdict as it
    comes. What failed leaves its console, journal and screenshot in a folder below `evidence`.
    """
    found = find_bootable(path)
    cases = choose_cases(found, media)
    with _keep_evidence(evidence) as folder:
        setup = Setup(accelerator=choose_accelerator(), evidence=folder, deadline=deadline)
        verdicts: dict[str, Verdict] = {}
        with ThreadPoolExecutor(max_workers=jobs) as executor:
            futures = [executor.submit(verify_case, case, found[case.artefact], setup) for case in cases]
            try:
                for future in as_completed(futures):
                    verdict = future.result()
                    verdicts[verdict.medium] = verdict
                    on_verdict(verdict)
            except BaseException:
                setup.interrupted.set()
                executor.shutdown(cancel_futures=True)
                raise
    return tuple(verdicts[case.name] for case in cases)


def choose_cases(found: Mapping[Kind, Path], media: Sequence[str] = ()) -> tuple[Case, ...]:
    """Choose the rows of the matrix: those named, or all that the artefacts allow.

    Raises InvalidInput for names that are not in the matrix or have no artefact.
    """
    if not media:
        return tuple(case for case in CASES if case.artefact in found)
    by_name = {case.name: case for case in CASES}
    problems = [f"there is no medium {name}" for name in media if name not in by_name]
    problems += [
        f"{name} needs {'a pxe folder' if by_name[name].artefact is Kind.PXE else by_name[name].artefact}"
        for name in media
        if name in by_name and by_name[name].artefact not in found
    ]
    if problems:
        raise InvalidInput(problems, f"the media are {', '.join(by_name)}")
    return tuple(case for case in CASES if case.name in media)


def verify_case(case: Case, artefact: Path, setup: Setup) -> Verdict:
    """Boot a medium and judge it; only a machine lost to emulated KVM is tried again, and that is told."""
    start = time.monotonic()
    for attempt in range(1, case.attempts + 1):
        suffix = f"-attempt-{attempt}" if attempt > 1 else ""
        folder = setup.evidence / f"{case.name}{suffix}"
        verdict = _try_case(case, artefact, setup, folder)
        verdict = dataclasses.replace(verdict, attempts=attempt, seconds=time.monotonic() - start)
        if verdict.passed or verdict.ending is Ending.INTERRUPTED:
            shutil.rmtree(folder)
            return dataclasses.replace(verdict, evidence=None)
        if not lost_machine(case, verdict, emulated=setup.accelerator.emulated) or attempt == case.attempts:
            return verdict
        logger.warning(
            "%s: attempt %d of %d lost its machine (%s; see %s); trying again",
            *(case.name, attempt, case.attempts, "; ".join(verdict.reasons), folder),
        )
    raise AssertionError(f"{case.name} allows no attempt")


def _try_case(case: Case, artefact: Path, setup: Setup, evidence: Path) -> Verdict:
    evidence.mkdir(parents=True)
    word = f"virtnode-guest-{secrets.token_hex(8)}"
    with tempfile.TemporaryDirectory(prefix="virtnode-") as name:
        folder = Path(name)
        sockets = NodeSockets(folder)
        with _qemu_command(case, artefact, setup, sockets, word) as command:
            (evidence / "command").write_text("\n".join(command) + "\n")
            with start_node(command, sockets, evidence / "qemu.log") as node:
                logger.info("%s: booting", case.name)
                ending, text = watch_node(
                    node,
                    evidence / "console.log",
                    seconds=setup.deadline,
                    interrupted=setup.interrupted.is_set,
                )
                report = parse_report(text)
                allowed = load_allowed_lines(emulated=setup.accelerator.emulated)
                reasons = judge(case, ending, report, allowed=allowed, word=word)
                if reasons:
                    dump_screen(node, evidence / "screen.png")
    _write_evidence(evidence, text, report)
    kept = evidence if reasons else None
    return Verdict(case.name, reasons, ending=ending, report=report, evidence=kept)


@contextlib.contextmanager
def _qemu_command(
    case: Case, artefact: Path, setup: Setup, sockets: NodeSockets, word: str
) -> Iterator[tuple[str, ...]]:
    """Prepare what the machine of a case needs, and give the command that runs it."""
    folder = sockets.folder
    emulation = SAME_ADDRESSES if setup.accelerator.emulated else {}
    credentials = {**inquiry(guest=case.guest), **emulation, **setup.credentials}
    firmware = prepare_firmware(case.firmware, folder)
    with attach(artefact, folder, firmware=case.firmware, usb=case.usb) as attachment:
        drives = attachment.drives
        if case.guest:
            disk = make_guest_disk(artefact, folder, word=word)
            drives += (Drive(disk, Bus.VIRTIO, serial=DISK_SERIAL, bootable=False),)
        machine = Machine(
            firmware=case.firmware,
            cpus=case.cpus,
            memory=case.memory,
            drives=drives,
            network=attachment.network,
            serial=Socket(sockets.console),
            ports=(Port(PORT, Socket(sockets.report)),),
            qmp=Socket(sockets.qmp),
            credentials=write_credentials(credentials, folder),
            may_reboot=False,
        )
        yield qemu_command(machine, accelerator=setup.accelerator, firmware=firmware)


def _write_evidence(folder: Path, report_text: str, report: Report) -> None:
    answers = [line for line in report_text.splitlines(keepends=True) if not line.startswith("journal=")]
    (folder / "report").write_text("".join(answers))
    (folder / "journal.log").write_text(report.journal)


@contextlib.contextmanager
def _keep_evidence(folder: Path | None) -> Iterator[Path]:
    """Give a directory for evidence, and remove it again if nothing was left there."""
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="virtnode-verify-", dir="/var/tmp"))
    elif folder.is_dir() and any(folder.iterdir()):
        raise VirtnodeError(Code.CONFLICT, f"{folder} is not empty", "name a directory for this run alone")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()
