"""The configuration that `node.config` or a DHCP server names: fetched until it is there, and kept."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from nodeagent.backoff import Backoff
from nodeagent.config_fetch import fetch_document
from nodeagent.config_url import Marks, fill_in, find_dhcp_url, show_url
from nodeagent.durable import write_durably
from nodeagent.facts.sources import read_text
from nodeagent.intent_sources import CONFIG_URL, FETCHED, fetched_mark, parse_node_toml, read_config_url
from nodelib.errors import VirtnodeError

logger = logging.getLogger(__name__)

AUTHORITIES = "usr/lib/virtnode/authorities"
"""Certificates, *.pem, that an image trusts for HTTPS beside those of its distribution."""
IDLE = 3600.0
DHCP_INTERVAL = 10.0
DHCP_TRIES = 30
"""How often a lease is looked at for a URL before it is taken that none comes."""
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
        self._problem = ""

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

    def _ask_dhcp(self) -> str:
        if self._is_done or not self._is_open():
            self._is_done = True
            return ""
        url = find_dhcp_url(self._root)
        self._tries += 1
        if url and url != read_config_url(self._root):
            path = self._root / CONFIG_URL
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(f"{url}\n")
            logger.info("configuration: the DHCP server names %s", show_url(url))
        if not url and self._tries >= DHCP_TRIES:
            self._is_done = True
        return url

    def _fetch(self, template: str) -> None:
        url = fill_in(template, self._marks())
        authorities = sorted((self._root / AUTHORITIES).glob("*.pem"))
        text = fetch_document(url, self._pins(), authorities)
        parse_node_toml(text, show_url(url))
        path = self._root / FETCHED
        content = f"{fetched_mark(template)}\n{text}".encode()
        self._problem = ""
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_durably(path, content)
            logger.info("configuration: fetched from %s", show_url(url))
            self._on_document()
        else:
            logger.info("configuration: %s has nothing new", show_url(url))

    def _note_problem(self, url: str, reason: str) -> None:
        kept = read_text(self._root / FETCHED).partition("\n")[0] == fetched_mark(url)
        text = f"configuration: {reason}; {'what was fetched before stays' if kept else 'trying again'}"
        text = text.replace("\n", "; ")
        if text != self._problem:
            logger.warning("%s", text)
        self._problem = text
