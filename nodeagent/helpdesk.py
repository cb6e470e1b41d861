"""What the node does for whoever helps: journal, self-check, and the archive brought to its place."""

import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from nodeagent.agent import Agent
from nodeagent.facts.sources import read_list
from nodeagent.firewall_port import FirewallPort
from nodeagent.journal import UNITS_COMMAND, read_journal, read_units
from nodeagent.selfcheck.evidence import collect_evidence
from nodeagent.selfcheck.groups import judge
from nodeagent.usb_drives import copy_to_drive, list_drives
from nodelib.bus_support import (
    BundlePlace,
    BundleReply,
    BundleRequest,
    JournalReply,
    JournalRequest,
    SelfCheckReply,
    UnitsReply,
    UsbReply,
)
from nodelib.errors import Code, VirtnodeError
from nodelib.places import Place, at

if TYPE_CHECKING:
    from nodeagent.downloads import Downloads, Port

WORKSHOP = "run/virtnode"
"""Where an archive is made: in memory, and seen by the unit that writes it to a drive."""
SENDING = 180.0
"""Seconds that the engine may take for an archive."""


class HelpDesk:
    """Answers the methods of nodelib/bus_support.py; any thread may call."""

    def __init__(self, agent: Agent, port: "Port | None" = None) -> None:
        self._agent = agent
        self._port = port or FirewallPort()
        self._downloads: Downloads | None = None
        self._at_work = threading.Lock()

    def journal(self, request: JournalRequest) -> JournalReply:
        """Show the journal of this boot."""
        return read_journal(request, secrets=self._agent.secrets())

    def units(self) -> UnitsReply:
        """Name the services that are loaded."""
        return UnitsReply(read_units(read_list(self._agent.command(UNITS_COMMAND))))

    def self_check(self) -> SelfCheckReply:
        """Check the node itself."""
        agent = self._agent
        return judge(collect_evidence(agent.root, agent.known(), agent.command))

    def usb_drives(self) -> UsbReply:
        """List the drives that an archive can be written to."""
        return UsbReply(list_drives(self._agent.command))

    def bundle(self, request: BundleRequest, actor: str) -> BundleReply:
        """Make the archive, and bring it to where it is wanted; one at a time."""
        if not self._at_work.acquire(blocking=False):
            raise VirtnodeError(Code.BUSY, "an archive is being made already", "wait until it is done")
        try:
            reply = self._bundle(request, actor)
        finally:
            self._at_work.release()
        place = "a URL" if request.place is BundlePlace.URL else reply.where
        self._agent.note("archive", f"a support archive went to {request.place}: {place}", actor)
        return reply

    def _bundle(self, request: BundleRequest, actor: str) -> BundleReply:
        if request.device and request.place is not BundlePlace.USB:
            raise VirtnodeError(Code.INVALID, "device: only for a USB drive")
        if request.place is BundlePlace.ENGINE and not self._agent.is_connected:
            raise VirtnodeError(
                Code.UNAVAILABLE,
                "this node has no connection to an engine",
                f"{at(Place.LADDER)}; a USB drive needs none",
            )
        with tempfile.TemporaryDirectory(prefix="support-", dir=self._agent.root / WORKSHOP) as folder:
            path = self._agent.make_archive(Path(folder))
            return self._deliver(request, path)

    def _deliver(self, request: BundleRequest, path: Path) -> BundleReply:
        size = path.stat().st_size
        if request.place is BundlePlace.USB:
            drive, name = copy_to_drive(request.device, path, self._agent.command)
            return BundleReply(f"{name} on {drive.label or drive.device}", size)
        if request.place is BundlePlace.ENGINE:
            return BundleReply(self._agent.uploads.send(path.read_bytes(), SENDING), size)
        url, seconds = self._offer(path)
        return BundleReply(url, size, seconds)

    def _offer(self, path: Path) -> tuple[str, float]:
        # An HTTP server takes memory that an agent which is never asked for one keeps free.
        from nodeagent.downloads import Downloads, usable_addresses

        if self._downloads is None:
            self._downloads = Downloads(self._port)
            self._agent.closing.callback(self._downloads.stop)
        addresses = [address for nic in self._agent.lookout.facts.nics for address in nic.addresses]
        return self._downloads.offer(path, usable_addresses(addresses))
