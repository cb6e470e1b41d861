"""The install screen: the disks that there are. Installing itself is still to come, and it says so."""

from textual.app import ComposeResult
from textual.widgets import DataTable

from nodelib.bus import FACTS
from nodelib.bus_system import SYSTEM
from nodelib.facts import Disk
from nodelib.link import Nothing
from tui.details import fit_last, room_in, write_details
from tui.disk_table import column_names, disk_details, disk_row
from tui.page import Page
from tui.texts import say
from tui.widgets.line import Line
from tui.widgets.table import Table


class InstallPage(Page):
    """What could be installed to, and that it cannot be done yet."""

    KEY = "install"
    DEFAULT_CSS = """
    InstallPage Line { margin-bottom: 1; }
    InstallPage #disks { max-height: 8; margin-bottom: 1; }
    """

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Line(say("install.to_come"))
        yield Line(id="runs")
        yield Line(say("install.disks"), classes="heading")
        yield Table(*column_names(), id="disks")
        yield Line(id="details")

    def on_mount(self) -> None:
        """Know no disks yet."""
        self._disks: dict[str, Disk] = {}

    async def load(self) -> None:
        """Ask what disks there are, and what the node was started from."""
        facts = await self.ask(FACTS, Nothing())
        system = await self.ask(SYSTEM, Nothing())
        self._disks = {disk.name: disk for disk in facts.disks}
        runs = write_details([(say("install.runs"), system.booted_from)], self._width)
        self.query_one("#runs", Line).show(runs)
        self._draw()

    def on_resize(self) -> None:
        """Fit rows and details to the room."""
        self._draw()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Show the details of the disk that is marked."""
        event.stop()
        self._show_details()

    @property
    def _width(self) -> int:
        return room_in(self)

    def _draw(self) -> None:
        rows = {name: disk_row(disk) for name, disk in self._disks.items()}
        self.query_one(Table).fill(fit_last(rows, column_names(), self._width))
        self._show_details()

    def _show_details(self) -> None:
        disk = self._disks.get(self.query_one(Table).chosen or "")
        text = write_details(disk_details(disk), self._width) if disk is not None else ""
        self.query_one("#details", Line).show(text)
