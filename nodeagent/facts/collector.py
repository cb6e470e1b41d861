"""All facts together, each collected as often as it may change."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from nodeagent.facts.disks import collect_disks
from nodeagent.facts.machine import collect_firmware, collect_hardware, collect_system
from nodeagent.facts.nics import collect_nics
from nodeagent.facts.processor import collect_cpu, collect_memory, collect_numa
from nodeagent.facts.question import Beside, Question, start_thread
from nodeagent.facts.routes import name_servers
from nodeagent.facts.sources import Command, CommandRunner
from nodeagent.facts.virtualisation import PROBE_COMMAND, PROBE_TIMEOUT, collect_virtualisation
from nodelib.facts import Disk, Facts, Memory, Nic, Virtualisation

PROBE_INTERVAL = 600.0
"""Seconds between two questions to a libvirt that answers: it is started by each."""
PROBE_AGAIN = 60.0
"""Seconds after which a libvirt that did not answer is asked again."""


class FactsCollector:
    """Collects the facts of the machine below `root`."""

    def __init__(
        self,
        root: Path,
        monotonic: Callable[[], float],
        *,
        command: Command | None = None,
        probe: Command | None = None,
        beside: Beside = start_thread,
    ) -> None:
        self._root = root
        self._monotonic = monotonic
        self._command = command or CommandRunner()
        self._probe = Question(probe or CommandRunner(PROBE_TIMEOUT), PROBE_COMMAND, beside)
        self._probed = ""
        self._probe_at = 0.0
        self._systemd = ""

    def collect(self) -> Facts:
        """Find out what the machine is now; may take seconds, and never fails."""
        system = collect_system(self._root)
        virtualisation = self._collect_virtualisation()
        return Facts(
            **dataclasses.asdict(system),
            hardware=collect_hardware(self._root),
            firmware=collect_firmware(self._root),
            cpu=collect_cpu(self._root),
            numa=collect_numa(self._root),
            memory=collect_memory(self._root),
            nics=self.collect_nics(),
            name_servers=self.collect_name_servers(),
            disks=self.collect_disks(),
            virtualisation=virtualisation,
            versions=self._versions(system.kernel, virtualisation),
        )

    @property
    def knows_libvirt(self) -> bool:
        """Tell whether libvirt has answered, or failed to, at least once."""
        return self._probe_at > 0

    @property
    def has_news(self) -> bool:
        """Tell whether libvirt has answered since the last collection, which did not wait for it."""
        return self._probe.answered

    def collect_nics(self) -> tuple[Nic, ...]:
        """Find out only what changes often: links and addresses."""
        return collect_nics(self._root, self._command)

    def collect_name_servers(self) -> tuple[str, ...]:
        """Find out only whom the node asks for names."""
        return name_servers(self._root)

    def collect_disks(self) -> tuple[Disk, ...]:
        """Find out only which disks there are, and what is on them."""
        return collect_disks(self._root, self._command)

    def _collect_virtualisation(self) -> Virtualisation:
        now = self._monotonic()
        if now >= self._probe_at:
            self._probe.ask()
        answer = self._probe.take()
        if answer is not None:
            self._probed = answer
            self._probe_at = now + (PROBE_INTERVAL if answer else PROBE_AGAIN)
        return collect_virtualisation(self._root, self._probed)

    def _versions(self, kernel: str, virtualisation: Virtualisation) -> Mapping[str, str]:
        if not self._systemd:
            # The first line is `systemd 257 (257.9-1~deb13u1)`.
            words = self._command(("systemctl", "--version")).split(None, 2)
            self._systemd = words[1] if len(words) > 1 else ""
        versions = {
            "kernel": kernel,
            "libvirt": virtualisation.libvirt,
            "qemu": virtualisation.qemu,
            "systemd": self._systemd,
        }
        return {name: version for name, version in versions.items() if version}


def same_machine(one: Facts | None, other: Facts) -> bool:
    """Tell whether two collections differ in nothing but what always changes."""
    return one is not None and _settled(one) == _settled(other)


def _settled(facts: Facts) -> Facts:
    memory: Memory = dataclasses.replace(facts.memory, available_bytes=0)
    return dataclasses.replace(facts, memory=memory)
