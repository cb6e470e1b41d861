"""Answer files: a `node.toml` checked by the node's own code in another process, and made of options."""

import hashlib
import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nodelib.answer import AnswerReply, AnswerRequest
from nodelib.codec import from_json, to_json
from nodelib.errors import Code, InvalidInput, VirtnodeError
from nodelib.run import run

PROGRAMS = Path(__file__).parent.parent
"""The folder that holds the packages of all programs."""
CHECKER = "nodeagent.answer_check"
KEY_BEGINNINGS = ("ssh-", "ecdsa-", "sk-")


@dataclass(frozen=True)
class AnswerOptions:
    """What the command line says of the configuration to embed; empty where it says nothing."""

    config: Path | None = None
    ssh_keys: Sequence[str] = ()
    engine: str = ""
    ca: Sequence[str] = ()
    token: str = ""

    @property
    def are_given(self) -> bool:
        """Tell whether anything is to be embedded."""
        return bool(self.config or self.ssh_keys or self.engine or self.ca or self.token)


def check_answer(text: str, name: str, patch: dict[str, object] | None = None) -> AnswerReply:
    """Check a document as a node would; raises InvalidInput with everything that is wrong."""
    request = to_json(AnswerRequest(text, name, patch or {}))
    # The program of a node is not imported here: it is asked, as another process.
    asked = run([sys.executable, "-m", CHECKER], stdin=request, env={"PYTHONPATH": str(PROGRAMS)})
    reply = from_json(AnswerReply, asked.stdout)
    if reply.problems:
        raise InvalidInput(list(reply.problems), "docs/node-toml.md explains every key")
    return reply


def newest_intent_version() -> int:
    """Ask which version of a `node.toml` nodes write, the newest that they read."""
    return int(check_answer("", "node.toml").shown["version"])


def read_answer(path: Path) -> str:
    """Read an answer file's text."""
    try:
        return path.read_text()
    except FileNotFoundError as error:
        raise VirtnodeError(Code.NOT_FOUND, f"there is no {path}", "give a node.toml") from error
    except (OSError, UnicodeDecodeError) as error:
        raise VirtnodeError(Code.INVALID, f"{path} cannot be read: {error}", "give a node.toml") from error


def make_answer(options: AnswerOptions) -> bytes:
    """Make the document to embed of a file and of options, which win; raises InvalidInput if it is wrong."""
    text = read_answer(options.config) if options.config else ""
    engine: dict[str, object] = {}
    if options.engine:
        engine["address"] = options.engine
    if options.ca:
        engine["ca"] = [read_pin(given) for given in options.ca]
    if options.token:
        engine["token"] = options.token
    patch: dict[str, object] = {"engine": engine} if engine else {}
    if options.ssh_keys:
        patch["access"] = {"ssh_keys": [key for given in options.ssh_keys for key in read_keys(given)]}
    return check_answer(text, str(options.config or "node.toml"), patch).text.encode()


def read_keys(given: str) -> list[str]:
    """Read a public key, or all of a file such as `id_ed25519.pub` or `authorized_keys`."""
    if given.startswith(KEY_BEGINNINGS):
        return [given]
    lines = [line.strip() for line in read_answer(Path(given)).splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def read_pin(given: str) -> str:
    """Read a pin, or make the one of a certificate in PEM."""
    if given.startswith("sha256:"):
        return given.lower()
    try:
        certificate = ssl.PEM_cert_to_DER_cert(read_answer(Path(given)).strip())
    except ValueError as error:
        raise VirtnodeError(
            Code.INVALID, f"{given} is no certificate in PEM", "give sha256:HEX, or the authority's ca.pem"
        ) from error
    return f"sha256:{hashlib.sha256(certificate).hexdigest()}"
