"""How a recorded machine behaves: the journal goes on, the archive goes where it is sent."""

from typing import TYPE_CHECKING

from nodelib.bus import STATUS
from nodelib.bus_support import (
    BUNDLE,
    JOURNAL,
    USB_DRIVES,
    BundlePlace,
    BundleReply,
    BundleRequest,
    JournalReply,
    JournalRequest,
)
from nodelib.errors import Code, VirtnodeError
from tui.recorded.answer import Answers

if TYPE_CHECKING:
    from tui.recorded.machine import RecordedMachine

ARCHIVE = "virtnode-support-{name}-20260101-000000.tar.xz"
TEN_MINUTES = 600.0


def journal(machine: "RecordedMachine", request: JournalRequest) -> JournalReply:
    """Give what matches: the last lines, or those after the cursor, which counts lines."""
    entries = machine.get(JOURNAL).entries
    after = int(request.cursor.removeprefix("c")) if request.cursor else 0
    found = [
        entry
        for entry in entries[after:]
        if request.unit in ("", entry.unit) and entry.priority <= request.priority
    ]
    return JournalReply(tuple(found[-request.lines :]), f"c{len(entries)}")


def bundle(machine: "RecordedMachine", request: BundleRequest) -> BundleReply:
    """Bring it to a drive that has room, to an engine that is connected, or to a page."""
    status, size = machine.get(STATUS), machine.get(BUNDLE).size_bytes
    name = ARCHIVE.format(name=status.hostname.partition(".")[0])
    if request.place is BundlePlace.URL:
        address = status.addresses[0].split()[1].partition("/")[0]
        return BundleReply(f"http://{address}:41234/{'3fa9c15e' * 4}/{name}", size, TEN_MINUTES)
    if request.place is BundlePlace.ENGINE:
        if not status.connected:
            raise VirtnodeError(Code.CONFLICT, "this node has no engine", "write it to a USB drive")
        return BundleReply(f"{status.node}/{name}", size)
    drives = {drive.device: drive for drive in machine.get(USB_DRIVES).drives}
    if request.device not in drives:
        raise VirtnodeError(Code.NOT_FOUND, f"{request.device} is not there", "plug it in again")
    if drives[request.device].size_bytes < size:
        raise VirtnodeError(Code.FAILED, f"there is no room on {request.device}", "take another drive")
    return BundleReply(name, size)


ANSWERS: Answers = {JOURNAL: journal, BUNDLE: bundle}
