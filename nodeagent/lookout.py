"""What was found out about this machine: facts, health and the ladder, each as often as it may change."""

import dataclasses
import threading
from pathlib import Path

from nodeagent.clocks import Clocks
from nodeagent.facts.collector import FactsCollector
from nodeagent.facts.sources import Command, read_text
from nodeagent.health import Health, collect_health
from nodeagent.intent import EngineIntent
from nodeagent.ladder import LadderWatch, Surroundings
from nodeagent.progress import Progress
from nodelib.facts import Facts
from nodelib.ladder import Ladder

FACTS_INTERVAL = 60.0
OS_RELEASE = "usr/lib/os-release"


class Lookout:
    """One thread looks, whoever changes disks looks at those, and every thread may read what was found."""

    def __init__(
        self,
        root: Path,
        clocks: Clocks,
        command: Command,
        collector: FactsCollector | None = None,
        ladder: LadderWatch | None = None,
    ) -> None:
        self._root = root
        self._clocks = clocks
        self._command = command
        self._collector = collector or FactsCollector(root, clocks.monotonic, command=command)
        self._ladder = ladder or LadderWatch()
        self._facts_at = 0.0
        self._has_looked = threading.Event()
        self._lock = threading.Lock()
        """Held while facts are found and written down: what another thread found meanwhile would be lost."""
        self.facts = Facts(hostname=self.hostname())
        self.health = Health(True, ())

    @property
    def ladder(self) -> Ladder:
        """How the join stands."""
        return self._ladder.ladder

    @property
    def knows_libvirt(self) -> bool:
        """Tell whether libvirt has answered, or failed to, at least once."""
        return self._collector.knows_libvirt

    def hostname(self) -> str:
        """Name this machine."""
        return read_text(self._root / "proc/sys/kernel/hostname")

    def built_at(self) -> float:
        """Tell when the image was made; 0 where that is not known."""
        try:
            return (self._root / OS_RELEASE).stat().st_mtime
        except OSError:
            return 0.0

    @property
    def has_looked(self) -> bool:
        """Everything was looked at once: what is not among the facts is not there."""
        return self._has_looked.is_set()

    def wait_for_facts(self, seconds: float) -> bool:
        """Wait until everything was looked at once; tell whether it was in time."""
        return self._has_looked.wait(seconds)

    def collect(self) -> bool:
        """Find out what may have changed by now, and tell whether that was all there is; may take seconds."""
        with self._lock:
            return self._collect()

    def _collect(self) -> bool:
        now = self._clocks.monotonic()
        if now >= self._facts_at or self._collector.has_news:
            self.facts = self._collector.collect()
            self.health = collect_health(
                self.facts, self._command, libvirt_known=self._collector.knows_libvirt
            )
            self._facts_at = now + FACTS_INTERVAL
            self._has_looked.set()
            return True
        self.facts = dataclasses.replace(
            self.facts,
            nics=self._collector.collect_nics(),
            name_servers=self._collector.collect_name_servers(),
        )
        return False

    def look_at_disks(self) -> None:
        """Find out which disks there are: a login to a target has just brought some, a logout taken them."""
        with self._lock:
            self.facts = dataclasses.replace(self.facts, disks=self._collector.collect_disks())

    def climb(self, engine: EngineIntent, progress: Progress, code: str) -> Ladder:
        """Climb the ladder to an engine; may take seconds."""
        return self._ladder.climb(
            Surroundings(
                nics=self.facts.nics,
                engine=engine.address,
                proxy=engine.proxy,
                progress=progress,
                code=code,
                now=self._clocks.wall(),
                built_at=self.built_at(),
            )
        )
