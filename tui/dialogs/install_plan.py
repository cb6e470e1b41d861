"""Shows what an installation would do to which disk, before it is confirmed."""

from textual.app import ComposeResult

from nodelib.bus_install import InstallPlan
from tui.details import write_details
from tui.dialogs.dialog import Dialog
from tui.install_text import names_guarded, plan_details
from tui.texts import say
from tui.widgets.line import Line
from tui.widgets.press import Press

WIDTH = 70
"""Columns of text in a dialog, beside its border, padding and scroll bar."""
OPTIONS, GO_ON = "options", "go"


class InstallPlanDialog(Dialog[str]):
    """Gives OPTIONS or GO_ON; a plan with something in its way cannot go on."""

    DEFAULT_CSS = """
    InstallPlanDialog .more { width: 1fr; }
    """

    def __init__(self, plan: InstallPlan, *, options: bool) -> None:
        key = "install.plan_impossible" if plan.problems else "install.plan_title"
        super().__init__(say(key, disk=plan.disk.name))
        self._plan = plan
        self._options = options

    def body(self) -> ComposeResult:
        """Lay out the plan."""
        if self._options and names_guarded(self._plan):
            yield Line(say("install.plan_options"), classes="hint")
        yield Line(write_details(plan_details(self._plan), WIDTH))

    def buttons(self) -> ComposeResult:
        """Cancel, options where there are some, and go on where that is possible."""
        yield Line(say("install.plan_more"), classes="more hint")
        yield Press(say("dialog.cancel"), "no")
        if self._options:
            yield Press(say("install.options"), OPTIONS)
        if not self._plan.problems:
            yield Press(say("install.go_on"), GO_ON)

    def on_press_pressed(self, event: Press.Pressed) -> None:
        """Answer."""
        self.dismiss(None if event.name == "no" else event.name)
