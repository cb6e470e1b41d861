"""Debian packages unpacked into one tree, each file once, and what RPM must be told about them."""

import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from nodelib.run import run
from tests.standin.debs import Deb

MERGED = ("bin", "lib", "lib64", "sbin")
"""Directories that are links into /usr."""
DPKG = "/var/lib/dpkg"
STATUS = f"{DPKG}/standin"
"""Where each package leaves its stanza of dpkg's status, and the owners that are not root."""
DOCUMENTATION = ("/usr/share/man/", "/usr/share/info/")
GLOB = re.compile(r"[\[\]{}*?]")
"""What rpmbuild would read as a pattern; in brackets it stands for itself."""
LOCALE = "/usr/share/locale/"


@dataclass
class Tree:
    """The tree that all packages are unpacked into, and which package each path came from first."""

    root: Path
    owners: dict[str, str] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """Say where an absolute path of a package lies on this host."""
        return self.root / name.lstrip("/")


def unpack_deb(deb: Deb, tree: Tree) -> list[str]:
    """Unpack a package with its dpkg records, and return its lines of an RPM file list.

    A file that an earlier package brought stays that one's. Owners are root's in the tree; those that are
    not root's are recorded for the script that configures the packages.
    """
    lines: list[str] = []
    special: list[str] = []
    listed = ["/."]
    with _open_data(deb.path) as archive:
        for member in archive:
            name = merged_path(member.name)
            if name == "/":
                continue
            listed.append(name)
            if not member.isdir() and tree.owners.setdefault(name, deb.name) != deb.name:
                continue
            _write_member(archive, member, name, tree)
            lines.append(file_line(name, is_directory=member.isdir()))
            if (member.uname, member.gname) not in (("root", "root"), ("", "")):
                special.append(f"{member.mode & 0o7777:o} {member.uname}:{member.gname} {name}\n")
    lines += [file_line(path, is_directory=False) for path in _write_records(deb, tree, listed, special)]
    return lines


def merged_path(name: str) -> str:
    """Make a path absolute, and put what lies in /bin and its like into /usr."""
    parts = [part for part in PurePosixPath(name).parts if part not in (".", "/")]
    if len(parts) > 1 and parts[0] in MERGED:
        parts.insert(0, "usr")
    return "/" + "/".join(parts)


def file_line(path: str, *, is_directory: bool) -> str:
    """Write one line of a file list, with what is documentation, licence, translation or settings marked."""
    quoted = '"' + GLOB.sub(r"[\g<0>]", path.replace("%", "%%")) + '"'
    if is_directory:
        return f"%dir {quoted}"
    if path.startswith("/usr/share/doc/"):
        return f"%license {quoted}" if path.endswith("/copyright") else f"%doc {quoted}"
    if path.startswith(DOCUMENTATION):
        return f"%doc {quoted}"
    if path.startswith(LOCALE) and path.endswith(".mo"):
        return f"%lang({path.removeprefix(LOCALE).split('/')[0]}) {quoted}"
    return f"%config(noreplace) {quoted}" if path.startswith("/etc/") else quoted


@contextmanager
def _open_data(deb: Path) -> Iterator[tarfile.TarFile]:
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as process:
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            yield archive
        if process.stdout is not None:
            process.stdout.read()
    if process.returncode != 0:
        raise OSError(f"dpkg-deb cannot read {deb}")


def _write_member(archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, tree: Tree) -> None:
    target = tree.path(name)
    if member.isdir():
        if not target.exists():
            target.mkdir(parents=True)
            target.chmod(member.mode & 0o7777)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if member.issym():
        target.symlink_to(member.linkname)
    elif member.islnk():
        os.link(tree.path(merged_path(member.linkname)), target)
    else:
        content = archive.extractfile(member)
        assert content is not None
        with target.open("wb") as output:
            shutil.copyfileobj(content, output, 1 << 20)
        target.chmod(member.mode & 0o7777)
        os.utime(target, (member.mtime, member.mtime))


def _write_records(deb: Deb, tree: Tree, listed: list[str], special: list[str]) -> list[str]:
    """Write what dpkg must find to configure the package, and return the paths."""
    info = tree.path(f"{DPKG}/info")
    info.mkdir(parents=True, exist_ok=True)
    control = tree.root.parent / "control" / deb.name
    run(["dpkg-deb", "--control", deb.path, control])
    written = [info / f"{deb.info_name}.list"]
    written[0].write_text("\n".join(listed) + "\n")
    for source in sorted(control.iterdir()):
        if source.name != "control":
            written.append(info / f"{deb.info_name}.{source.name}")
            shutil.copy(source, written[-1])
    status = tree.path(STATUS)
    status.mkdir(parents=True, exist_ok=True)
    written.append(status / f"{deb.name}.status")
    written[-1].write_text(_unpacked_stanza(deb.control))
    if special:
        written.append(status / f"{deb.name}.owners")
        written[-1].write_text("".join(special))
    return ["/" + str(path.relative_to(tree.root)) for path in written]


def _unpacked_stanza(control: str) -> str:
    name, rest = control.strip().split("\n", 1)
    return f"{name}\nStatus: install ok unpacked\n{rest}\n\n"
