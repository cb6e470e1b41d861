"""Kernel arguments as people may see them, and what of them nobody may."""

import re
from collections.abc import Iterator

from nodelib.urls import show_url

TOKEN = re.compile(r"\b(node\.token)=(\S+)")
URL = re.compile(r"\b(node\.config|node\.survey)=(\S+)")
HIDDEN = "(hidden)"


def hide_secret_arguments(arguments: str) -> str:
    """Replace the arguments that are secret, and in URLs what may be."""
    shown = URL.sub(lambda found: f"{found[1]}={_hide_in_url(found[2])}", arguments)
    return TOKEN.sub(rf"\1={HIDDEN}", shown)


def secrets_of_arguments(arguments: str) -> tuple[str, ...]:
    """List what `hide_secret_arguments` hides, URLs whole, as they may stand in other texts."""
    return (*(found[2] for found in TOKEN.finditer(arguments)), *_secret_urls(arguments))


def _secret_urls(arguments: str) -> Iterator[str]:
    for found in URL.finditer(arguments):
        if _hide_in_url(found[2]) != found[2]:
            yield found[2]


def _hide_in_url(url: str) -> str:
    try:
        shown = show_url(url)
    except ValueError:
        return HIDDEN
    return shown if shown == url else f"{shown}{HIDDEN}"
