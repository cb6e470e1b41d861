"""Durations as people write them."""

import re

from nodelib.errors import Code, VirtnodeError

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def read_duration(text: str) -> float:
    """Read `90s`, `30m`, `24h`, `7d` or `2w` as seconds. Raises VirtnodeError (invalid)."""
    found = re.fullmatch(r"(\d{1,6})([smhdw])", text.strip().lower(), re.ASCII)
    if found is None or int(found[1]) == 0:
        raise VirtnodeError(Code.INVALID, f"{text!r} is no duration", "write 90s, 30m, 24h, 7d or 2w")
    return int(found[1]) * UNITS[found[2]]
