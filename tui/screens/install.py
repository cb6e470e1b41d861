"""The install screen: disks, what stands against each, and an installation from its plan to its end."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import DataTable

from nodelib.bus_install import INSTALL_DISKS, INSTALL_PROGRESS, InstallProgress, InstallState, InstallView
from nodelib.errors import VirtnodeError
from nodelib.link import Nothing
from tui import install_deeds
from tui.details import fit_last, room_in, write_details
from tui.dialogue import Dialogue
from tui.install_text import column_names, disk_details, disk_row, progress_details
from tui.page import Page, deed
from tui.texts import say, sentence
from tui.widgets.line import Line
from tui.widgets.press import Press
from tui.widgets.table import Table

BEGINNINGS = ("install", "mirror", "rule")
"""Actions that begin an installation."""


class InstallPage(Page):
    """How an installation stands, a table of disks, and the details of the one that is marked."""

    KEY = "install"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "install", "install.here"),
        Binding("m", "mirror", "install.mirrored"),
        Binding("t", "rule", "install.by_rule"),
        Binding("r", "restart", "install.restart"),
    ]
    DEFAULT_CSS = """
    InstallPage #progress, InstallPage #problem { display: none; }
    InstallPage #progress.filled, InstallPage #problem.filled { display: block; margin-bottom: 1; }
    InstallPage #disks { max-height: 8; margin: 1 0; }
    InstallPage #disks.roomy { max-height: 16; }
    InstallPage .row { height: 1; margin-bottom: 1; }
    """

    def __init__(self, dialogue: Dialogue) -> None:
        super().__init__(dialogue)
        self._progress = InstallProgress()
        self._view = InstallView(())

    @property
    def key_table(self) -> dict[str, Binding]:
        """The page's keys that work now."""
        return {key: one for key, one in super().key_table.items() if self.check_action(one.action, ())}

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Begin no second installation while one runs, or where none is possible; restart after its end."""
        state = self._progress.state
        if action == "restart":
            return state is InstallState.SUCCEEDED
        return action not in BEGINNINGS or (state is not InstallState.RUNNING and not self._view.problem)

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Line(id="progress")
        yield Line(id="problem", classes="error")
        yield Line(say("install.intro"), id="intro")
        yield Table(*column_names(), id="disks")
        with Horizontal(classes="row"):
            yield Press(say("install.restart"), "restart")
            yield Press(say("install.here"), "install")
            yield Press(say("install.mirrored"), "mirror")
            yield Press(say("install.by_rule"), "rule")
        yield Line(id="details")

    def on_mount(self) -> None:
        """Know nothing yet, and look how far an installation is for as long as somebody sees the page."""
        self._loaded = self._began = self._polling = False
        self.query_one("#disks").set_class(self.app.size.height > 30, "roomy")
        self.set_interval(self.dialogue.look.meters_every, self.poll)

    async def load(self) -> None:
        """Ask what disks there are, and how an installation stands: another console may have begun it."""
        self._progress = await self.ask(INSTALL_PROGRESS, Nothing())
        self._view = await self.ask(INSTALL_DISKS, Nothing())
        self._loaded = True
        self._draw()
        self._tell_end()

    def on_resize(self) -> None:
        """Fit rows and details to the room."""
        self._draw()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Show the details of the disk that is marked."""
        event.stop()
        self._show_details()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Plan for the disk that was chosen."""
        event.stop()
        self.action_install()

    def on_press_pressed(self, event: Press.Pressed) -> None:
        """Do what a button says."""
        getattr(self, f"action_{event.name}")()

    @deed
    async def action_install(self) -> None:
        """Install to the disk that is marked."""
        name = self.query_one(Table).chosen
        if name is None:
            await self.dialogue.tell(say("install.no_disks"))
        else:
            await self._install(f"/dev/{name}")

    @deed
    async def action_mirror(self) -> None:
        """Install to the disk that is marked, mirrored on a second one."""
        name = self.query_one(Table).chosen
        if name is None:
            await self.dialogue.tell(say("install.no_disks"))
            return
        second = await install_deeds.choose_mirror(self.dialogue, name, self._view)
        if second is not None:
            await self._install(f"/dev/{name}", second)

    @deed
    async def action_rule(self) -> None:
        """Install to the one disk that a rule means."""
        rule = await install_deeds.type_rule(self.dialogue, self._view.rule)
        if rule is not None:
            await self._install(rule)

    @deed
    async def action_restart(self) -> None:
        """Restart into what was installed."""
        await install_deeds.offer_restart(self.dialogue, self._progress)

    def poll(self) -> None:
        """Look how far it is, if somebody sees it."""
        if self.display and self._loaded and not self._polling:
            self.run_worker(self._poll(), group="poll")

    async def _install(self, rule: str, mirror: str = "") -> None:
        if self._progress.state is InstallState.RUNNING:
            await self.dialogue.tell(say("install.busy", disk=self._progress.disk))
        elif await install_deeds.install(self.dialogue, rule, mirror):
            self._began = True
            await self.load()
            self.scroll_home(animate=False)

    async def _poll(self) -> None:
        self._polling = True
        before = self._progress
        try:
            self._progress = await self.dialogue.listen(INSTALL_PROGRESS, Nothing())
            if before.state is not self._progress.state:
                self._view = await self.dialogue.listen(INSTALL_DISKS, Nothing())
        except VirtnodeError:
            # The frame's banner says that the agent does not answer; it is asked again.
            return
        finally:
            self._polling = False
        self._draw()
        self._tell_end()

    def _tell_end(self) -> None:
        """Tell who began it how it ended, once no other question is open."""
        ended = self._progress.state in (InstallState.SUCCEEDED, InstallState.FAILED)
        if self._began and ended and self.app.screen is self.screen:
            self._began = False
            self.do(self._end())

    async def _end(self) -> None:
        if self._progress.state is InstallState.SUCCEEDED:
            await install_deeds.offer_restart(self.dialogue, self._progress)
        else:
            title = say("install.failed_title")
            await self.dialogue.tell(self._progress.error, self._progress.hint, title=title)

    def _draw(self) -> None:
        width = room_in(self)
        self._show("#progress", write_details(progress_details(self._progress), width))
        self._show("#problem", sentence(self._view.problem) if self._view.problem else "")
        rows = {disk.name: disk_row(disk, self._view) for disk in self._view.disks}
        self.query_one(Table).fill(fit_last(rows, column_names(), width))
        state = self._progress.state
        done = state is InstallState.SUCCEEDED
        begins = state is not InstallState.RUNNING and not self._view.problem
        self.query_one("#intro").display = begins
        # One row has no room for all four, and who has installed seldom wants to do it again.
        shown = {"restart": done, "mirror": begins and not done}
        for press in self.query(Press):
            press.display = shown.get(press.name or "", begins)
        self.refresh_bindings()
        self._show_details()

    def _show(self, place: str, text: str) -> None:
        line = self.query_one(place, Line)
        line.show(text)
        line.set_class(bool(text), "filled")

    def _show_details(self) -> None:
        if not self._loaded:
            return
        marked = self.query_one(Table).chosen
        disk = next((disk for disk in self._view.disks if disk.name == marked), None)
        text = say("install.no_disks") if disk is None else write_details(disk_details(disk), room_in(self))
        self.query_one("#details", Line).show(text)
