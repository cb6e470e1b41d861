"""A survey that a medium posts by itself."""

import json
import threading

from nodeagent.install.survey_post import TRIES, begin_survey, post_survey
from nodeagent.install.webhook import send_by_http
from nodelib.bus_install import InstallDisk, Survey
from nodelib.codec import from_json
from nodelib.errors import Code, VirtnodeError
from nodelib.facts import Facts
from tests.nodeagent.install.test_webhook import Server, server

__all__ = ["server"]
SURVEY = Survey(Facts(hostname="node1"), (InstallDisk("sda"),), layouts={}, image_bytes=1)


def test_it_is_posted_once_somebody_is_there(server: Server) -> None:
    """A server that is not ready is asked again; the document is what the command line saves."""
    server.answers = [503, 502]
    pauses: list[float] = []
    url = f"http://127.0.0.1:{server.server_port}/machines"
    assert post_survey(url, lambda: SURVEY, send_by_http, pauses.append)
    assert len(pauses) == 2
    assert [from_json(Survey, json.dumps(one)) for one in server.got] == [SURVEY]


def test_nobody_is_asked_for_ever(server: Server) -> None:
    """A no is a no, and whoever does not answer is left alone after a while."""
    url = f"http://127.0.0.1:{server.server_port}/machines"
    server.answers = [403]
    assert not post_survey(url, lambda: SURVEY, send_by_http, lambda seconds: None)
    server.answers = [500] * (TRIES + 1)
    assert not post_survey(url, lambda: SURVEY, send_by_http, lambda seconds: None)
    assert server.got == []
    assert len(server.answers) == 1


def test_how_it_ended_is_noted(server: Server) -> None:
    """An administrator finds it among the events; a machine whose disks cannot be read goes on."""
    ended = threading.Event()
    said: list[str] = []

    def note(text: str) -> None:
        said.append(text)
        ended.set()

    def fail() -> Survey:
        raise VirtnodeError(Code.FAILED, "no disks")

    url = f"http://127.0.0.1:{server.server_port}/machines"
    begin_survey(url, fail, note)
    begin_survey(url, lambda: SURVEY, note)
    assert ended.wait(10)
    assert said == ["this machine's survey was posted"]
    assert len(server.got) == 1
