"""Reading what repositories offer, from files and from a real web server."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from image.bases.repomd import expand_variables, parse_metalink, read_states
from image.config import Repository
from nodelib.errors import Code, InvalidInput, VirtnodeError

REPOMD = b"<?xml version='1.0'?><repomd><revision>1</revision></repomd>"
DIGEST = "sha256:" + hashlib.sha256(REPOMD).hexdigest()
METALINK = """<?xml version="1.0"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/" xmlns:mm0="http://fedorahosted.org/mirrormanager">
 <files><file name="repomd.xml">
  <mm0:alternates><mm0:alternate>
   <verification><hash type="sha256">01d</hash></verification>
  </mm0:alternate></mm0:alternates>
  <verification><hash type="md5">abc</hash><hash type="sha256">{digest}</hash></verification>
 </file></files>
</metalink>
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Write a repository with nothing but its repomd.xml."""
    (tmp_path / "repo/repodata").mkdir(parents=True)
    (tmp_path / "repo/repodata/repomd.xml").write_bytes(REPOMD)
    return tmp_path / "repo"


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a directory and prints nothing."""

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Serve the test's directory over HTTP."""
    handler = partial(QuietHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_file_address(repository: Path) -> None:
    """The state is the digest of repomd.xml."""
    (state,) = read_states([Repository("a", baseurl=repository.as_uri())])
    assert (state.name, state.digest) == ("a", DIGEST)


def test_an_http_address(repository: Path, address: str) -> None:
    """A trailing slash does not matter."""
    (state,) = read_states([Repository("", baseurl=f"{address}/repo/")])
    assert (state.name, state.digest) == ("url", DIGEST)


def test_the_state_follows_what_is_offered(repository: Path) -> None:
    """Another repomd.xml is another state."""
    (repository / "repodata/repomd.xml").write_bytes(REPOMD.replace(b"1</rev", b"2</rev"))
    (state,) = read_states([Repository("a", baseurl=repository.as_uri())])
    assert state.digest != DIGEST


def test_a_mirrorlist(repository: Path, address: str, tmp_path: Path) -> None:
    """A mirror that is down does not matter while another answers."""
    (tmp_path / "mirrors").write_text(f"# comment\n{address}/gone\n{address}/repo\n")
    (state,) = read_states([Repository("a", mirrorlist=f"{address}/mirrors")])
    assert state.digest == DIGEST


def test_a_metalink_answers_without_a_mirror(address: str, tmp_path: Path) -> None:
    """The metalink says the digest itself, and the current one, not an older alternate."""
    (tmp_path / "metalink").write_text(METALINK.format(digest=DIGEST.removeprefix("sha256:")))
    (state,) = read_states([Repository("a", metalink=f"{address}/metalink")])
    assert state.digest == DIGEST


@pytest.mark.parametrize("document", [b"", b"<html>moved</html>", b"<metalink/>"])
def test_a_metalink_without_a_digest(document: bytes) -> None:
    """What is no metalink holds no digest."""
    assert parse_metalink(document) == ""


def test_bad_addresses_are_named(address: str, tmp_path: Path) -> None:
    """A repository that is not there, or is something else, is named with its address."""
    (tmp_path / "page/repodata").mkdir(parents=True)
    (tmp_path / "page/repodata/repomd.xml").write_text("<html>log in first</html>")
    for path, reason in (("gone", "404 File not found"), ("page", "describes no repository")):
        with pytest.raises(
            VirtnodeError, match=f"repository a cannot be read: {address}/{path}.*{reason}"
        ) as caught:
            read_states([Repository("a", baseurl=f"{address}/{path}")])
        assert caught.value.code is Code.UNAVAILABLE


def test_variables_are_expanded() -> None:
    """$releasever and $basearch become the release and the machine."""
    expanded = expand_variables(
        Repository("a", baseurl="https://example.invalid/$releasever/${basearch}"), "43"
    )
    assert expanded.baseurl == "https://example.invalid/43/x86_64"


def test_a_release_is_needed_where_the_address_says_so() -> None:
    """An address with $releasever and a kickstart without a suite do not fit."""
    with pytest.raises(InvalidInput, match="needs a release"):
        expand_variables(Repository("a", baseurl="https://example.invalid/$releasever"), "")
