"""What virtnodectl prints, for people."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from nodelib.bus import ConfigView, SourceStep, Status
from nodelib.bus_support import JournalEntry, SelfCheckReply, UsbDrive, Verdict
from nodelib.ladder import Rung, StepState
from nodelib.source_steps import is_configured, sort_steps

MARKS = {StepState.OK: "ok", StepState.FAILING: "FAIL", StepState.WAITING: "..."}


def status_text(status: Status, ladder: Sequence[Rung]) -> str:
    """Lay a status out: who, where, how the join stands, and what is wrong."""
    rows = [
        ("node", " ".join(filter(None, (status.hostname, f"({status.product})" if status.product else "")))),
        *(("address", line) for line in status.addresses or ("none",)),
        ("engine", _engine(status)),
    ]
    if status.state == "pending":
        rows += [("approval code", status.approval_code), ("fingerprint", status.fingerprint)]
    if status.pending is not None:
        rows.append(("unconfirmed", f"goes back in {status.pending.seconds_left:.0f} s"))
        rows += [("", change) for change in status.pending.changes]
    if status.sources:
        rows.append(("configuration", _sources(status.sources)))
    rows += [("to answer", f"{one.key}: {one.allowed}") for one in status.asked]
    rows += _wrong(status)
    lines = [f"{name:<14} {text}" for name, text in rows]
    if status.engine and not status.connected:
        lines += ["", *_ladder(ladder)]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _sources(steps: Sequence[SourceStep]) -> str:
    """Name the sources that are used; while there is none, say what came of each."""
    used, rest = sort_steps(steps)
    parts = [", ".join(used), *(f"{one.name}: {one.text}" for one in rest)]
    parts += [] if is_configured(steps) else ["so: whoever is at the node"]
    return "; ".join(filter(None, parts))


def _wrong(status: Status) -> Iterator[tuple[str, str]]:
    """List what is wrong, and what to do about it where somebody knows."""
    told = [notice.text for notice in status.warnings]
    for problem in status.problems:
        if not problem.startswith(tuple(told)):
            yield "problem", problem
    for notice in status.warnings:
        yield "problem", notice.text
        yield "", f"  hint: {notice.hint}"


def _engine(status: Status) -> str:
    if not status.engine:
        return "none; virtnodectl join HOST --ca PIN names one"
    state = status.state or "not heard of yet"
    reason = f" ({status.reason})" if status.reason else ""
    # A node that waits for approval, or was turned away, is not meant to have more of a connection.
    settled = status.connected or status.state in ("pending", "rejected")
    link = "" if settled else ", no connection"
    name = f" as {status.name}" if status.name else ""
    return f"{status.engine}{name}: {state}{reason}{link}"


def _ladder(ladder: Sequence[Rung]) -> Iterator[str]:
    for rung in ladder:
        yield f"  {MARKS[rung.state]:<5}{rung.step.value:<10} {rung.text}"
        if rung.hint and rung.state is not StepState.OK:
            yield f"{'':<18}hint: {rung.hint}"


def changes_text(changes: Sequence[str]) -> str:
    """List changes, one a line."""
    return "".join(f"{change}\n" for change in changes) or "nothing would change\n"


def config_text(view: ConfigView) -> str:
    """List the keys in force, each with its origin, then what is wrong with a source."""
    rows = list(_leaves(view.document))
    width = max((len(f"{name} = {value}") for name, value in rows), default=0)
    lines = [
        f"{f'{name} = {value}':<{min(width, 60)}}  # {view.origins.get(name, '')}".rstrip(" #")
        for name, value in rows
    ]
    lines += [f"to answer: {key}" for key in view.asked]
    return "".join(f"{line}\n" for line in [*lines, *(f"problem: {problem}" for problem in view.problems)])


def journal_text(entries: Sequence[JournalEntry]) -> str:
    """Lay lines of the journal out: when, from where, what."""
    return "".join(
        f"{datetime.fromtimestamp(one.time, UTC):%Y-%m-%d %H:%M:%S} {one.unit}: {one.text}\n"
        for one in entries
    )


def check_text(reply: SelfCheckReply) -> str:
    """Lay the self-check out: each group with its checks, and a hint where somebody can act."""
    lines = []
    for group in reply.groups:
        lines.append(f"{group.name}: {group.verdict}")
        for check in group.checks:
            mark = "FAIL" if check.verdict is Verdict.FAILED else check.verdict
            lines.append(f"  {mark:<8}{check.name:<15}{check.text}")
            if check.hint and check.verdict is not Verdict.OK:
                lines.append(f"{'':<25}hint: {check.hint}")
    return "".join(f"{line}\n" for line in lines)


def drives_text(drives: Sequence[UsbDrive]) -> str:
    """List USB drives, one a line."""
    rows = (
        f"{one.device:<14} {one.filesystem:<6} {one.size_bytes / 1e9:>7.1f} GB  {one.label}".rstrip()
        for one in drives
    )
    return "".join(f"{row}\n" for row in rows) or "there is no USB drive that an archive can be written to\n"


def _leaves(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _plain(value)


def _plain(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(_plain(item) for item in value)}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{name} = {_plain(item)}' for name, item in value.items())} }}"
    return str(value)
