"""The configuration that `node.config` or a DHCP server names: fetched until it is there, and kept."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from nodeagent.backoff import Backoff
from nodeagent.config_url import Marks, fill_in, find_dhcp_url, has_lease
from nodeagent.durable import write_durably
from nodeagent.intent_sources import (
    CONFIG_URL,
    FETCHED,
    fetched_mark,
    has_fetched,
    parse_node_toml,
    read_config_url,
)
from nodelib.bus import SourceState, SourceStep
from nodelib.errors import VirtnodeError
from nodelib.urls import show_url

logger = logging.getLogger(__name__)

AUTHORITIES = "usr/lib/virtnode/authorities"
"""Certificates, *.pem, that an image trusts for HTTPS beside those of its distribution."""
IDLE = 3600.0
DHCP_INTERVAL = 10.0
DHCP_TRIES = 30
"""How often a lease is looked at for a URL before it is taken that none comes."""
LEASE_TRIES = 6
"""How often whoever needs the document has a lease waited for: a machine may have no DHCP server at all."""
SHORTEST_WAIT = 1.0


class ConfigSource:
    """One URL's document; `look` is called again and again by one thread."""

    def __init__(
        self,
        root: Path,
        url: str,
        marks: Callable[[], Marks],
        pins: Callable[[], Sequence[str]],
        is_open: Callable[[], bool],
        on_document: Callable[[], None],
        backoff: Backoff,
    ) -> None:
        self._root = root
        self._url = url
        self._marks = marks
        self._pins = pins
        self._is_open = is_open
        """Tells whether nobody said anything to this node yet: only then a DHCP server's word counts."""
        self._on_document = on_document
        """Called once a new document lies among the sources."""
        self._backoff = backoff
        self._is_done = False
        self._tries = 0
        self._had_lease = False
        self._expects_none = False
        """A lease came that names nothing, or none in time."""
        self._named = ""
        """The URL that is to be fetched, as far as one is known."""
        self._problem = ""
        self._has_kept = False
        """What was fetched before stays, while there is nothing new."""

    @property
    def is_settled(self) -> bool:
        """Tell whether all that is expected to come has come; what was fetched is told before."""
        if self._is_done or self._expects_none:
            return True
        return not (self._url or self._is_open() or read_config_url(self._root))

    @property
    def awaits(self) -> str:
        """Say what is still expected, for whoever cannot begin without it; empty once that is settled."""
        if self.is_settled:
            return ""
        url = self._url or self._named
        return show_url(url) if url else "a DHCP server may name one"

    @property
    def step(self) -> SourceStep:
        """Say where a document is looked for, and what came of it."""
        named = f"DHCP, {show_url(self._named)}" if self._named else "DHCP"
        name = f"URL {show_url(self._url)}" if self._url else named
        if self._url or self._named:
            return SourceStep(name, *self._what_came())
        if self._is_done or self._expects_none:
            return SourceStep(name, SourceState.NONE, "not given" if self._tries else "not asked")
        return SourceStep(name, SourceState.TRYING, "not given yet")

    @property
    def problems(self) -> tuple[str, ...]:
        """Tell why there is no document yet, or no new one."""
        return (self._problem,) if self._problem else ()

    def look(self) -> float:
        """Fetch if it is time to; returns the seconds until the next look."""
        url = self._url or self._ask_dhcp()
        if self._is_done:
            return IDLE
        if not url:
            return DHCP_INTERVAL
        try:
            self._fetch(url)
        except (VirtnodeError, OSError) as error:
            self._note_problem(url, error.message if isinstance(error, VirtnodeError) else str(error))
            return max(SHORTEST_WAIT, self._backoff.next_wait())
        self._is_done = True
        return IDLE

    def _what_came(self) -> tuple[SourceState, str]:
        """Say what came of a URL."""
        if self._is_done:
            return SourceState.USED, "used"
        if self._has_kept:
            return SourceState.KEPT, "as fetched before, tries again"
        return SourceState.TRYING, "not fetched, tries again" if self._problem else "not fetched yet"

    def _ask_dhcp(self) -> str:
        """Return the URL that a DHCP server names, or named before somebody decided anything at this node."""
        kept = read_config_url(self._root)
        if self._is_done or not self._is_open():
            self._is_done = self._is_done or not kept
            self._named = kept
            return kept
        url = find_dhcp_url(self._root)
        self._tries += 1
        # The lease of another port may be a moment late: a second look decides.
        self._expects_none = not (url or kept) and (self._had_lease or self._tries >= LEASE_TRIES)
        self._had_lease = has_lease(self._root)
        if url and url != self._named:
            logger.info("configuration: the DHCP server names %s", show_url(url))
        self._named = url or kept
        if url and has_fetched(self._root, url) and self._keep_url(url):
            self._on_document()
        self._is_done = not self._named and self._tries >= DHCP_TRIES
        return self._named

    def _keep_url(self, url: str) -> bool:
        """Have what was fetched stay a source after a restart, and tell whether it was none yet."""
        if url == read_config_url(self._root):
            return False
        write_durably(self._root / CONFIG_URL, f"{url}\n".encode())
        return True

    def _fetch(self, template: str) -> None:
        # HTTP takes a megabyte of memory, and most nodes fetch nothing.
        from nodeagent.config_fetch import fetch_document

        url = fill_in(template, self._marks())
        authorities = sorted((self._root / AUTHORITIES).glob("*.pem"))
        text = fetch_document(url, self._pins(), authorities)
        parse_node_toml(text, show_url(url))
        path = self._root / FETCHED
        content = f"{fetched_mark(template)}\n{text}".encode()
        self._problem = ""
        is_new = not path.is_file() or path.read_bytes() != content
        if is_new:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_durably(path, content)
        # Kept once its document is there: what never came says nothing about a node that a person configured.
        if (not self._url and self._keep_url(template)) or is_new:
            logger.info("configuration: fetched from %s", show_url(url))
            self._on_document()
        else:
            logger.info("configuration: %s has nothing new", show_url(url))

    def _note_problem(self, url: str, reason: str) -> None:
        kept = self._has_kept = has_fetched(self._root, url)
        text = f"configuration: {reason}; {'what was fetched before stays' if kept else 'trying again'}"
        text = text.replace("\n", "; ")
        if text != self._problem:
            logger.warning("%s", text)
        self._problem = text
