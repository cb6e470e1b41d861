"""`node.survey=URL` on any medium's command line: the machine's hardware is posted there."""

import logging
import threading
import time
from collections.abc import Callable

from nodeagent.install.webhook import PAUSE, Send, deliver, send_by_http
from nodelib.bus_install import Survey
from nodelib.codec import to_json
from nodelib.errors import VirtnodeError

logger = logging.getLogger(__name__)

TRIES = 100
"""Nobody waits for it, and a machine may be long without an address."""


def begin_survey(url: str, take: Callable[[], Survey], note: Callable[[str], None]) -> None:
    """Post the survey in a thread of its own, once all disks are there; `note` hears how it ended."""

    def work() -> None:
        try:
            taken = post_survey(url, take)
        except VirtnodeError as error:
            logger.warning("node.survey: %s", error.message)
        else:
            note("this machine's survey was posted" if taken else "nobody took this machine's survey")

    threading.Thread(target=work, name="survey", daemon=True).start()


def post_survey(
    url: str,
    take: Callable[[], Survey],
    send: Send = send_by_http,
    pause: Callable[[float], object] = time.sleep,
) -> bool:
    """Post a machine's hardware until somebody takes it; tell whether somebody did."""
    body = to_json(take()).encode()

    def wait() -> bool:
        pause(PAUSE)
        return False

    return deliver(url, body, "the survey", send, wait, TRIES)
