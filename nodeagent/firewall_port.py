"""One port that the node's firewall lets in for a while; the kernel closes it again by itself."""

import json
from collections.abc import Iterator, Sequence

from nodeagent.facts.sources import tables
from nodelib.errors import Code, VirtnodeError
from nodelib.run import Result, run

TABLE = ("inet", "virtnode")
CHAIN = "input"
SET = "downloads"
MARK = "virtnode: an archive to fetch"
"""The comment of our rule: by it we know the rule again."""
TIMEOUT = 10.0


class FirewallPort:
    """Lets TCP in to one port of the image's table; a verdict of another table could not."""

    def __init__(self, nft: Sequence[str] = ("nft",)) -> None:
        self._nft = tuple(nft)

    def open(self, port: int, seconds: int) -> None:
        """Let it in for some seconds; nothing is done where no firewall of ours is in the way.

        Raises VirtnodeError (failed) where the firewall refuses.
        """
        listing = self._listing()
        if listing is None:
            return
        table = " ".join(TABLE)
        # The set's elements leave it by themselves, so that none stays open behind an agent that died.
        script = [f"add set {table} {SET} {{ type inet_service; flags timeout; }}"]
        if not list(_own_rules(listing)):
            script.append(f'add rule {table} {CHAIN} tcp dport @{SET} accept comment "{MARK}"')
        script.append(f"flush set {table} {SET}")
        script.append(f"add element {table} {SET} {{ {port} timeout {seconds}s }}")
        self._load(script)

    def close(self) -> None:
        """Let nothing in any more, and take our rule away."""
        listing = self._listing()
        handles = list(_own_rules(listing)) if listing is not None else []
        if handles:
            table = " ".join(TABLE)
            script = [f"delete rule {table} {CHAIN} handle {handle}" for handle in handles]
            self._load([*script, f"delete set {table} {SET}"])

    def _listing(self) -> str | None:
        """List the chain; None without one, or without nftables."""
        try:
            found = self._run(["--json", "list", "chain", *TABLE, CHAIN])
        except VirtnodeError as error:
            if error.code is Code.UNAVAILABLE:
                return None
            raise
        return found.stdout if found.status == 0 else None

    def _load(self, script: Sequence[str]) -> None:
        done = self._run(["--file", "-"], "".join(f"{line}\n" for line in script))
        if done.status:
            said = " ".join(done.stderr.split())[:200]
            raise VirtnodeError(Code.FAILED, f"the firewall could not be changed: {said}", "nft list ruleset")

    def _run(self, words: Sequence[str], stdin: str | None = None) -> Result:
        return run([*self._nft, *words], stdin=stdin, check=False, timeout=TIMEOUT)


def _own_rules(listing: str) -> Iterator[int]:
    """Read the handles of our rules out of a listing."""
    try:
        found = json.loads(listing).get("nftables")
    except (ValueError, AttributeError):
        return
    for item in tables(found):
        rule = item.get("rule")
        if isinstance(rule, dict) and rule.get("comment") == MARK and isinstance(rule.get("handle"), int):
            yield int(rule["handle"])
