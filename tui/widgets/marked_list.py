"""A list whose chosen row can be told without colour."""

from textual.style import Style
from textual.widgets import OptionList

HIGHLIGHTED = "option-list--option-highlighted"
REVERSE = Style(reverse=True)


class MarkedList(OptionList):
    """Shows the chosen row in reverse where there is no colour: the library drops that from a row's style."""

    def get_visual_style(self, *component_classes: str, partial: bool = False) -> Style:
        """Give the style of a part of the list."""
        style = super().get_visual_style(*component_classes, partial=partial)
        # A list under a filter is moved in while the filter has the focus.
        is_chosen = HIGHLIGHTED in component_classes and (self.has_focus or not self.can_focus)
        return style + REVERSE if is_chosen and self.app.has_class("mono") else style
