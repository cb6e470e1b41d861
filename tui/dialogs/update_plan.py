"""Shows what an update would do, before it is confirmed."""

from textual.app import ComposeResult

from nodelib.bus_update import UpdatePlan
from tui.details import write_details
from tui.dialogs.dialog import Dialog
from tui.dialogs.install_plan import WIDTH
from tui.texts import say
from tui.update_text import plan_details
from tui.widgets.line import Line
from tui.widgets.press import Press


class UpdatePlanDialog(Dialog[bool]):
    """Gives true to go on; a plan with something in its way cannot."""

    DEFAULT_CSS = """
    UpdatePlanDialog .more { width: 1fr; }
    """

    def __init__(self, plan: UpdatePlan, *, restart: bool) -> None:
        key = "update.plan_impossible" if plan.problems else "update.plan_title"
        super().__init__(say(key, version=plan.version))
        self._plan = plan
        self._restart = restart

    def body(self) -> ComposeResult:
        """Lay out the plan."""
        yield Line(write_details(plan_details(self._plan, restart=self._restart), WIDTH))

    def buttons(self) -> ComposeResult:
        """Cancel, and go on where that is possible."""
        yield Line(say("install.plan_more"), classes="more hint")
        yield Press(say("dialog.cancel"), "no")
        if not self._plan.problems:
            yield Press(say("update.go_on"), "yes")

    def on_press_pressed(self, event: Press.Pressed) -> None:
        """Answer."""
        self.dismiss(event.name == "yes")
