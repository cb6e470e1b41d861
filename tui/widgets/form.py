"""A form: fields, their values as a patch of the configuration, the agent's objections at their fields."""

from collections.abc import Mapping
from typing import Any

from textual.containers import Vertical

from nodelib.bus import ENGINE_ORIGIN, ConfigView
from nodelib.errors import InvalidInput
from tui.widgets.fields import Field


class Form(Vertical):
    """Fields whose names are dotted keys of the configuration."""

    DEFAULT_CSS = """
    Form { height: auto; }
    """

    @property
    def fields(self) -> dict[str, Field]:
        """The fields by name."""
        return {field.key: field for field in self.query(Field)}

    @property
    def values(self) -> dict[str, str]:
        """What stands in the fields."""
        return {key: field.value for key, field in self.fields.items()}

    def manage(self, view: ConfigView) -> None:
        """Close the fields of keys that the engine decides."""
        for key, field in self.fields.items():
            field.managed = view.origins.get(key) == ENGINE_ORIGIN

    def clear_errors(self) -> None:
        """Show what is allowed again."""
        for field in self.fields.values():
            field.clear_error()

    def place_errors(self, error: InvalidInput) -> tuple[str, ...]:
        """Show each objection at the field that it names; give those that name none."""
        self.clear_errors()
        left = []
        for problem in error.problems:
            for key, field in self.fields.items():
                # `engine.ca[0]: ...` is about the field engine.ca.
                place, _, text = problem.partition(": ")
                if place == key or place.startswith((f"{key}[", f"{key}.")):
                    field.show_error(text)
                    break
            else:
                left.append(problem)
        return tuple(left)


def look_up(document: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401 - a value of the configuration
    """Find the value of a dotted key in a configuration; None where there is none."""
    found: Any = document
    for word in key.split("."):
        if not isinstance(found, Mapping) or word not in found:
            return None
        found = found[word]
    return found


def make_patch(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Make the tables of a patch of dotted keys."""
    patch: dict[str, Any] = {}
    for key, value in changes.items():
        *tables, last = key.split(".")
        place = patch
        for table in tables:
            place = place.setdefault(table, {})
        place[last] = value
    return patch
