"""Package archives served on this machine, for tests of what happens when they change or go."""

import contextlib
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

SUITE = "trixie"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep standard error for the tests' own words."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder and give its address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def make_archive(folder: Path, *, text: str = "", suite: str = SUITE) -> Path:
    """Write the signed indexes' place-holders of a release, its updates and its security updates."""
    for place, name in (
        ("debian", suite),
        ("debian", f"{suite}-updates"),
        ("debian-security", f"{suite}-security"),
    ):
        index = folder / place / "dists" / name / "InRelease"
        index.parent.mkdir(parents=True, exist_ok=True)
        index.write_text(f"{name} {text}\n")
    return folder
