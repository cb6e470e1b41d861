"""The network screen: links, what each is and shall be, names and time, tests, reset."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import DataTable

from nodelib.bus import CONFIG_SHOW, FACTS, ConfigView
from nodelib.bus_network import BLINK, LEASE, BlinkRequest, LeaseRequest, Probe
from nodelib.facts import Facts
from nodelib.link import Nothing, Verb
from tui.details import room_in, write_details
from tui.dialogs.choice import Choice
from tui.link_table import ROOMY, column_names, link_details, row_of
from tui.links import MADE, PHYSICAL, Link, find_links, is_managed, patch_of_reset, patch_without
from tui.network_changes import NAMES, change_link, change_names
from tui.network_tests import ask_test, run_test
from tui.page import Page, deed
from tui.seen import Seen
from tui.texts import say
from tui.widgets.line import Line
from tui.widgets.press import Press
from tui.widgets.table import Table

BLINK_SECONDS = 10


class NetworkPage(Page):
    """A table of links, the details of the one that is marked, and what can be done."""

    KEY = "network"
    SETTINGS = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "change", "network.change"),
        Binding("a", "add", "network.add"),
        Binding("d", "remove", "network.remove"),
        Binding("n", "names", "network.names"),
        Binding("t", "test", "network.test"),
        Binding("k", "keep_lease", "network.keep_lease"),
        Binding("b", "blink", "network.blink"),
        Binding("x", "reset", "network.reset"),
    ]
    DEFAULT_CSS = """
    NetworkPage #links { max-height: 10; margin-bottom: 1; }
    NetworkPage #links.roomy { max-height: 24; }
    NetworkPage .row { height: 1; margin-top: 1; }
    """
    DEEDS = (
        *((f"make('{kind}')", f"network.new_{kind}") for kind in MADE),
        *(("names", f"network.{name}") for name in NAMES),
        ("names", "network.proxy"),
        *((f"probe('{probe}')", f"find.test_{probe}") for probe in Probe),
    )
    BUTTONS = ("change", "add", "names", "test", "reset")

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Table(*column_names(roomy=self.app.size.width >= ROOMY), id="links")
        yield Line(id="details")
        with Horizontal(classes="row"):
            for name in self.BUTTONS:
                yield Press(say(f"network.{name}"), name)

    def on_mount(self) -> None:
        """Take more lines where there are more."""
        self._facts, self._view, self._loaded = Facts(), ConfigView({}), False
        self._links: dict[str, Link] = {}
        self._shown: tuple[tuple[str, ...], bool] | None = None
        self._roomy = self.app.size.width >= ROOMY
        self.query_one("#links").set_class(self.app.size.height > 30, "roomy")

    def see(self, seen: Seen) -> None:
        """Look again when addresses came or went, and when a change was kept or went back."""
        shown = (seen.status.addresses, seen.status.pending is None)
        if self._shown not in (None, shown):
            self.do(self._look(self.dialogue.listen))
        self._shown = shown

    async def load(self) -> None:
        """Ask what links there are, and what the configuration says of them."""
        await self._look(self.ask)

    async def _look(self, ask: Callable[[Verb[Any, Any], Nothing], Awaitable[Any]]) -> None:
        self._facts = await ask(FACTS, Nothing())
        self._view = await ask(CONFIG_SHOW, Nothing())
        self._links = {f"{link.kind} {link.name}": link for link in find_links(self._facts, self._view)}
        rows = {key: row_of(link, roomy=self._roomy) for key, link in self._links.items()}
        self.query_one(Table).fill(rows)
        self._loaded = True
        self._show_details()

    def on_resize(self) -> None:
        """Wrap the details anew."""
        self._show_details()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Show the details of the link that is marked."""
        event.stop()
        self._show_details()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Offer what can be done with the link."""
        event.stop()
        self.do(self._offer())

    def on_press_pressed(self, event: Press.Pressed) -> None:
        """Do what the button says."""
        getattr(self, f"action_{event.name}")()

    @deed
    async def action_change(self) -> None:
        """Change the link that is marked."""
        await self._change()

    @deed
    async def action_add(self) -> None:
        """Add a bond, a VLAN or a bridge."""
        await self.load()
        choices = [Choice(kind, say(f"network.add_{kind}")) for kind in MADE]
        kind = await self.dialogue.choose(say("network.add_title"), choices)
        if kind is not None:
            await self._make(kind)

    def action_make(self, kind: str) -> None:
        """Add a link of a kind."""
        self.do(self._make(kind))

    def action_probe(self, probe: str) -> None:
        """Begin one of the tests."""
        self.do(run_test(self.dialogue, Probe(probe)))

    @deed
    async def action_remove(self) -> None:
        """Remove the link that is marked."""
        await self._remove()

    @deed
    async def action_names(self) -> None:
        """Change host name, DNS, NTP, proxy."""
        await self.load()
        if await change_names(self.dialogue, self._view):
            await self.load()

    @deed
    async def action_test(self) -> None:
        """Test gateway, DNS, engine, any host."""
        await ask_test(self.dialogue)

    @deed
    async def action_keep_lease(self) -> None:
        """Make the marked link's lease static."""
        await self._keep_lease()

    @deed
    async def action_blink(self) -> None:
        """Let the marked port's light blink."""
        await self._blink()

    @deed
    async def action_reset(self) -> None:
        """Forget what was decided about the network."""
        await self.load()
        patch = patch_of_reset(self._view)
        if not patch:
            await self.dialogue.tell(say("network.reset_nothing"))
        elif await self.dialogue.confirm(
            say("network.reset_question"), say("network.reset_text"), yes=say("network.reset")
        ):
            await self._apply(patch)

    async def _offer(self) -> None:
        link = await self._marked()
        if link is None:
            return
        deeds = {"change": self._change, "probe": self._probe}
        if link.kind in MADE:
            deeds["remove"] = self._remove
        if link.nic is not None:
            deeds["keep_lease"] = self._keep_lease
        if link.nic is not None and link.nic.kind == PHYSICAL:
            deeds["blink"] = self._blink
        texts = {name: say(f"network.choice_{name}") for name in deeds}
        if link.kind in MADE:
            texts["change"] = say("network.choice_change_made")
        chosen = await self.dialogue.choose(
            link.name, [Choice(name, text) for name, text in texts.items()], "change"
        )
        if chosen is not None:
            await deeds[chosen]()

    async def _change(self) -> None:
        link = await self._marked()
        if link is None:
            return
        if link.kind == "other":
            await self.dialogue.tell(say("network.not_configurable", name=link.name))
        elif await self._may_change(link.kind):
            await self._change_and_load(link)

    async def _remove(self) -> None:
        link = await self._marked()
        if link is None:
            return
        if link.kind not in MADE or link.number is None:
            await self.dialogue.tell(say("network.not_made", name=link.name))
        elif await self._may_change(link.kind) and await self.dialogue.confirm(
            say("network.remove_question", name=link.name),
            say("network.remove_text"),
            yes=say("network.remove"),
        ):
            await self._apply(patch_without(self._view, link.kind, link.number))

    async def _keep_lease(self) -> None:
        link = await self._marked()
        if link is not None:
            reply = await self.ask(LEASE, LeaseRequest(link.name))
            await self._apply(reply.patch)

    async def _blink(self) -> None:
        link = await self._marked()
        if link is None:
            return
        if link.nic is None or link.nic.kind != PHYSICAL:
            await self.dialogue.tell(say("network.not_a_port", name=link.name))
            return
        await self.ask(BLINK, BlinkRequest(link.name, BLINK_SECONDS))
        await self.dialogue.tell(say("network.blinks", name=link.name, seconds=BLINK_SECONDS))

    async def _probe(self) -> None:
        await ask_test(self.dialogue)

    async def _apply(self, patch: Mapping[str, object]) -> None:
        if await self.dialogue.apply(patch):
            await self.load()

    async def _make(self, kind: str) -> None:
        await self.load()
        if await self._may_change(kind):
            await self._change_and_load(Link("", kind))

    async def _change_and_load(self, link: Link) -> None:
        if await change_link(self.dialogue, link, self._facts, self._view):
            await self.load()

    async def _may_change(self, kind: str) -> bool:
        managed = is_managed(self._view, kind)
        if managed:
            await self.dialogue.tell(say("network.managed"))
        return not managed

    async def _marked(self) -> Link | None:
        """Find the link that is marked, as it is now: what a form shows must be what is in force."""
        await self.load()
        link = self._links.get(self.query_one(Table).chosen or "")
        if link is None:
            await self.dialogue.tell(say("network.nothing_chosen"))
        return link

    def _show_details(self) -> None:
        link = self._links.get(self.query_one(Table).chosen or "")
        text = say("network.none") if self._loaded else ""
        if link is not None:
            text = write_details(link_details(link, self._facts, self._view), room_in(self))
        self.query_one("#details", Line).show(text)
