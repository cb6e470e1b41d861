"""Debian's repositories: found in the host's own apt sources, and read with apt itself."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nodelib.errors import Code, VirtnodeError

MIRROR_HINT = "pass --mirror URL, the address of a Debian archive (the folder that holds dists/ and pool/)"


@dataclass(frozen=True)
class AptSource:
    """One address of the host's apt sources with the suites and components read from it."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]


@dataclass(frozen=True)
class Archive:
    """One suite at one address, as a line of sources.list says it."""

    uri: str
    suite: str
    components: tuple[str, ...] = ("main",)

    @property
    def in_release(self) -> str:
        """The address of the suite's signed index."""
        return f"{self.uri.rstrip('/')}/dists/{self.suite}/InRelease"

    def source_line(self, keyrings: Sequence[Path]) -> str:
        """Say it as one line of sources.list; a key of any of the keyrings signs it."""
        signers = ",".join(str(keyring) for keyring in keyrings)
        return f"deb [signed-by={signers}] {self.uri} {self.suite} {' '.join(self.components)}"


def find_archives(suite: str, mirror: str, root: Path = Path("/")) -> tuple[Archive, ...]:
    """Name the archives that serve `suite`: the release, its updates and its security updates.

    `mirror` is `ADDRESS` or `ADDRESS,SECURITY-ADDRESS`; empty takes both from the apt sources below `root`.
    Raises VirtnodeError (unavailable) when the host's sources are not Debian's.
    """
    main, security = _split_mirror(mirror) if mirror else _host_mirrors(root)
    return (Archive(main, suite), Archive(main, f"{suite}-updates"), Archive(security, f"{suite}-security"))


def read_sources(root: Path = Path("/")) -> list[AptSource]:
    """Read the host's apt sources, both of apt's formats, in apt's order; `mirror+file:` is resolved."""
    etc = root / "etc/apt"
    sources: list[AptSource] = []
    lists = sorted((etc / "sources.list.d").glob("*"))
    for path in [etc / "sources.list", *lists]:
        # apt reads no other endings, so that a source can be put out of the way by renaming its file.
        if path.suffix not in (".list", ".sources") or not path.is_file():
            continue
        text = path.read_text(errors="replace")
        read = _read_deb822 if path.suffix == ".sources" else _read_one_line
        sources += read(text)
    return [
        AptSource(_resolve_mirror_file(source.uri, root), source.suites, source.components)
        for source in sources
    ]


def _split_mirror(mirror: str) -> tuple[str, str]:
    main, _, security = mirror.partition(",")
    return main.rstrip("/"), (security or f"{main.rstrip('/')}-security").rstrip("/")


def _host_mirrors(root: Path) -> tuple[str, str]:
    os_release = root / "etc/os-release"
    found = (
        re.search(r"^VERSION_CODENAME=\"?(\w+)", os_release.read_text(), re.M)
        if os_release.exists()
        else None
    )
    is_debian = found and re.search(r"^ID=\"?debian\b", os_release.read_text(), re.M)
    if not found or not is_debian:
        raise VirtnodeError(Code.UNAVAILABLE, "this host's own package sources are not Debian's", MIRROR_HINT)
    codename = found[1]
    sources = read_sources(root)
    main = next((s.uri for s in sources if codename in s.suites and "main" in s.components), "")
    if not main:
        raise VirtnodeError(
            Code.UNAVAILABLE, f"no apt source of this host serves {codename} main", MIRROR_HINT
        )
    security = next(
        (s.uri for s in sources if f"{codename}-security" in s.suites), f"{main.rstrip('/')}-security"
    )
    return main.rstrip("/"), security.rstrip("/")


def _read_deb822(text: str) -> Iterator[AptSource]:
    for stanza in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^([\w-]+):[ \t]*(.*(?:\n[ \t]+.*)*)", stanza, re.M))
        if "deb" not in fields.get("Types", "").split() or fields.get("Enabled", "yes").strip() == "no":
            continue
        for uri in fields.get("URIs", "").split():
            yield AptSource(
                uri, tuple(fields.get("Suites", "").split()), tuple(fields.get("Components", "").split())
            )


def _read_one_line(text: str) -> Iterator[AptSource]:
    for line in text.splitlines():
        words = re.sub(r"\[[^]]*\]", "", line.partition("#")[0]).split()
        if len(words) >= 3 and words[0] == "deb":
            yield AptSource(words[1], (words[2],), tuple(words[3:]))


def _resolve_mirror_file(uri: str, root: Path) -> str:
    if not uri.startswith("mirror+file:"):
        return uri
    listed = root / uri.removeprefix("mirror+file:").lstrip("/")
    lines = listed.read_text().split() if listed.exists() else []
    return next((word for word in lines if word.startswith(("http:", "https:"))), uri)
