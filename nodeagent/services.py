"""What the application of an intent asks of the running system."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class Services(Protocol):
    """The system's services, as far as settings need them; each call raises VirtnodeError when it fails."""

    def set_hostname(self, name: str) -> None:
        """Let the kernel know the host name; an empty one leaves it to the system."""

    def set_timezone(self, zone: str) -> None:
        """Tell everybody the time zone."""

    def load_keymap(self, name: str) -> None:
        """Let the screen's keyboard have a layout; a machine without a screen needs none."""

    def reload_units(self) -> None:
        """Read the unit files again."""

    def restart(self, unit: str) -> None:
        """Let a running unit read its configuration, by a reload if it can, else by a restart."""

    def start(self, unit: str) -> None:
        """Start a unit, or let it read its configuration if it runs."""

    def stop(self, unit: str) -> None:
        """Stop a unit."""

    def restart_soon(self, unit: str) -> None:
        """Ask for a restart and go on; a start that is under way is broken off and begun anew."""

    def load_firewall(self, script: Path) -> None:
        """Run an nftables script, all of it or nothing."""

    def reload_network(self, *, gone: Sequence[str], files: Sequence[str]) -> None:
        """Let systemd-networkd read its files again.

        Links named in `gone` are deleted before, for networkd changes no link that is there. Links that use
        one of `files` are configured anew afterwards, for they hang on those.
        """
