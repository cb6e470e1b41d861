"""The storage screen: disks and what is on them, multipath, iSCSI, whether an NFS export can be mounted."""

from collections.abc import Mapping
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import DataTable

from nodelib.bus import CONFIG_SHOW, FACTS, ConfigView
from nodelib.bus_storage import STORAGE, StorageView
from nodelib.facts import Facts
from nodelib.link import Nothing
from tui import disk_table, storage_deeds
from tui.details import fit_last, room_in, write_details
from tui.page import Page, deed
from tui.texts import say, sentence
from tui.widgets.line import Line
from tui.widgets.press import Press
from tui.widgets.table import Table


class StoragePage(Page):
    """A table of all storage, the details of what is marked in it, and what can be done."""

    KEY = "storage"
    SETTINGS = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "initiator", "storage.initiator"),
        Binding("f", "discover", "storage.discover"),
        Binding("o", "logout", "storage.logout"),
        Binding("t", "nfs", "storage.nfs"),
    ]
    DEFAULT_CSS = """
    StoragePage #disks { max-height: 10; margin-bottom: 1; }
    StoragePage #disks.roomy { max-height: 24; }
    StoragePage .row { height: 1; margin-top: 1; }
    """
    BUTTONS = ("initiator", "discover", "logout", "nfs")

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Table(*disk_table.column_names(), id="disks", opens=False)
        yield Line(id="details")
        with Horizontal(classes="row"):
            for name in self.BUTTONS:
                yield Press(say(f"storage.{name}"), name)

    def on_mount(self) -> None:
        """Know nothing yet; take more lines where there are more."""
        self._facts, self._storage, self._view = Facts(), StorageView(), ConfigView({})
        self._loaded = False
        self.query_one("#disks").set_class(self.app.size.height > 30, "roomy")

    async def load(self) -> None:
        """Ask what storage there is."""
        self._facts = await self.ask(FACTS, Nothing())
        self._storage = await self.ask(STORAGE, Nothing())
        self._view = await self.ask(CONFIG_SHOW, Nothing())
        self._loaded = True
        self._draw()

    def on_resize(self) -> None:
        """Fit rows and details to the room."""
        self._draw()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Show the details of what is marked."""
        event.stop()
        self._show_details()

    def on_press_pressed(self, event: Press.Pressed) -> None:
        """Do what the button says."""
        getattr(self, f"action_{event.name}")()

    @deed
    async def action_initiator(self) -> None:
        """Change this node's iSCSI name."""
        if await storage_deeds.change_initiator(self.dialogue, self._view, self._storage):
            await self.load()

    @deed
    async def action_discover(self) -> None:
        """Find targets and log in to one."""
        if await storage_deeds.discover(self.dialogue):
            await self.load()

    @deed
    async def action_logout(self) -> None:
        """Log out of a target."""
        marked = self.query_one(Table).chosen or ""
        if await storage_deeds.log_out(self.dialogue, self._storage.sessions, marked.removeprefix("iscsi ")):
            await self.load()

    @deed
    async def action_nfs(self) -> None:
        """Test whether an NFS export can be mounted."""
        await storage_deeds.test_nfs(self.dialogue)

    def _draw(self) -> None:
        width = room_in(self)
        rows: dict[str, list[str]] = {}
        for disk in self._facts.disks:
            rows[f"disk {disk.name}"] = disk_table.disk_row(disk)
        for device in self._storage.multipaths:
            rows[f"multipath {device.name}"] = disk_table.multipath_row(device)
        for session in self._storage.sessions:
            rows[f"iscsi {storage_deeds.session_key(session)}"] = disk_table.session_row(session)
        self.query_one(Table).fill(fit_last(rows, disk_table.column_names(), width))
        self._show_details()

    def _show_details(self) -> None:
        if not self._loaded:
            return
        details = self._details().get(self.query_one(Table).chosen or "", [])
        if not details:
            details = [(say("storage.kind_disk"), say("storage.no_disks"))]
        initiator = self._storage.initiator or say("storage.initiator_none")
        details = [*details, (say("storage.initiator"), initiator)]
        details += [(say("storage.problem"), sentence(problem)) for problem in self._storage.problems]
        text = write_details(details, room_in(self))
        self.query_one("#details", Line).show(text)

    def _details(self) -> Mapping[str, Any]:
        found = {f"disk {disk.name}": disk_table.disk_details(disk) for disk in self._facts.disks}
        for device in self._storage.multipaths:
            found[f"multipath {device.name}"] = disk_table.multipath_details(device)
        for session in self._storage.sessions:
            key = f"iscsi {storage_deeds.session_key(session)}"
            found[key] = disk_table.session_details(session)
        return found
