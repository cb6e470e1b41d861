"""URLs, as people may see them."""

import urllib.parse


def show_url(url: str) -> str:
    """Write a URL for people: user, password and query may be secret."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
