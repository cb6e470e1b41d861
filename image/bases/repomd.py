"""What a yum repository offers now: the digest of its repomd.xml."""

import hashlib
import http.client
import platform
import ssl
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from image.bases import RepositoryState
from image.bases.dnf import repository_id
from image.config import Repository
from nodelib.errors import Code, InvalidInput, VirtnodeError

TIMEOUT = 15
"""Seconds a server may stay silent."""
MIRRORS_TRIED = 3
METALINK_HASHES = ("sha512", "sha256")


def read_states(repositories: Sequence[Repository]) -> tuple[RepositoryState, ...]:
    """Ask all repositories at once; what cannot be read raises VirtnodeError (unavailable)."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        digests = list(pool.map(_read_digest, repositories))
    return tuple(
        RepositoryState(name=repository_id(repository), digest=digest)
        for repository, digest in zip(repositories, digests, strict=True)
    )


def expand_variables(repository: Repository, releasever: str) -> Repository:
    """Replace $releasever, $basearch and $arch in a repository's address."""
    values = {"releasever": releasever, "basearch": platform.machine(), "arch": platform.machine()}

    def expand(address: str) -> str:
        if "releasever" in address and not releasever:
            problem = f"the address {address} needs a release, and the kickstart names none"
            raise InvalidInput([problem], "set suite to Fedora's number")
        for name, value in values.items():
            address = address.replace(f"${name}", value).replace(f"${{{name}}}", value)
        return address

    return replace(
        repository,
        baseurl=expand(repository.baseurl),
        mirrorlist=expand(repository.mirrorlist),
        metalink=expand(repository.metalink),
    )


def fetch(url: str, repository: Repository) -> bytes:
    """Read a file: or http(s): address the way its repository says."""
    context = ssl.create_default_context() if repository.verify_tls else ssl._create_unverified_context()
    handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=context)]
    if repository.proxy:
        handlers.append(urllib.request.ProxyHandler({"http": repository.proxy, "https": repository.proxy}))
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=TIMEOUT) as answer:
            content: bytes = answer.read()
            return content
    except urllib.error.HTTPError as error:
        error.close()
        raise _unreadable(repository, f"{url}: {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise _unreadable(repository, f"{url}: {error.reason}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _unreadable(repository, f"{url}: {error}") from error


def download(url: str, repository: Repository, directory: Path) -> Path:
    """Fetch one file into `directory` under its own name."""
    target = directory / url.rsplit("/", 1)[-1]
    target.write_bytes(fetch(url, repository))
    return target


def parse_metalink(document: bytes) -> str:
    """Find the digest of repomd.xml in a metalink; empty when it holds none."""
    try:
        tree = ElementTree.fromstring(document)
    except ElementTree.ParseError:
        return ""
    for kind in METALINK_HASHES:
        path = f".//{{*}}file[@name='repomd.xml']/{{*}}verification/{{*}}hash[@type='{kind}']"
        found = tree.find(path)
        if found is not None and found.text:
            return f"{kind}:{found.text.strip()}"
    return ""


def _read_digest(repository: Repository) -> str:
    if repository.metalink:
        digest = parse_metalink(fetch(repository.metalink, repository))
        if not digest:
            raise _unreadable(repository, f"{repository.metalink} describes no repository")
        return digest
    if repository.baseurl:
        return _digest_of_repomd(repository, repository.baseurl)
    return _digest_by_mirrorlist(repository)


def _digest_by_mirrorlist(repository: Repository) -> str:
    lines = fetch(repository.mirrorlist, repository).decode(errors="replace").splitlines()
    mirrors = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    failure = _unreadable(repository, f"{repository.mirrorlist} names no mirror")
    for mirror in mirrors[:MIRRORS_TRIED]:
        try:
            return _digest_of_repomd(repository, mirror)
        except VirtnodeError as error:
            failure = error
    raise failure


def _digest_of_repomd(repository: Repository, address: str) -> str:
    url = address.rstrip("/") + "/repodata/repomd.xml"
    document = fetch(url, repository)
    if b"<repomd" not in document:
        raise _unreadable(repository, f"{url} describes no repository")
    return f"sha256:{hashlib.sha256(document).hexdigest()}"


def _unreadable(repository: Repository, why: str) -> VirtnodeError:
    message = f"repository {repository_id(repository)} cannot be read: {why}"
    hint = "check its address in the kickstart, and the network"
    return VirtnodeError(Code.UNAVAILABLE, message, hint)
