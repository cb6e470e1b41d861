"""Whether an NFS export can be mounted: the unit that tries, and every sentence about a failure."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from nodeagent.join_error import JoinError
from nodeagent.storage.nfs import PROGRAM, SAFE_OPTIONS, check_nfs, connect, nfs_argv
from nodelib.bus_network import ProbeReply
from nodelib.bus_storage import NfsTestRequest
from nodelib.errors import Code, InvalidInput
from nodelib.ladder import Step
from tests.nodeagent.storage.commands import FakeCommand

REQUEST = NfsTestRequest("192.0.2.8", "/srv/vm images", "vers=4.1")


@pytest.fixture
def systemd_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCommand:
    """Put a program in systemd-run's place."""
    command = FakeCommand(tmp_path / "bin", "systemd-run")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    return command


def reach(address: str, port: int, timeout: float) -> None:
    """Reach everything."""


def try_export(request: NfsTestRequest = REQUEST) -> ProbeReply:
    """Try an export of a server that can be reached."""
    return check_nfs(request, connect=reach, resolve=lambda name: ("192.0.2.8",), clock=lambda: 0.0)


def test_the_unit_keeps_the_mount_to_itself() -> None:
    """It has mounts of its own, an end, and options whose last word is ours."""
    argv = nfs_argv("2001:db8::8", "/srv", ("vers=3", "hard"))
    assert argv[:4] == ["systemd-run", "--quiet", "--pipe", "--wait"]
    assert "--property=PrivateMounts=yes" in argv
    assert "--property=RuntimeMaxSec=14" in argv
    assert argv[-3:-1] == ["/run/virtnode/nfs-test", "[2001:db8::8]:/srv"]
    assert nfs_argv("host", "/srv/$HOME", ())[-2] == "host:/srv/$$HOME"
    assert argv[-1] == f"vers=3,hard,{','.join(SAFE_OPTIONS)}"
    assert {"ro", "soft", "nosuid", "nodev", "noexec"} <= set(SAFE_OPTIONS)


def test_an_export_that_can_be_mounted(systemd_run: FakeCommand) -> None:
    """It says how much is in it."""
    systemd_run.on("--pipe", out="3\n")
    found = try_export()
    assert found == ProbeReply(True, "192.0.2.8:/srv/vm images can be mounted; it has 3 entries.", "", 0.0)
    assert systemd_run.calls[0][-2] == "192.0.2.8:/srv/vm images"
    systemd_run.on("--pipe", out="1\n")
    assert "1 entry." in try_export().text


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("mount.nfs: access denied by server while mounting 192.0.2.8:/srv", "lets this node not mount"),
        (
            "mount.nfs: mounting 192.0.2.8:/srv failed, reason given by server: No such file or directory",
            "has no export /srv/vm images",
        ),
        (
            "mount.nfs: mount(2): No such file or directory\nmount.nfs: portmap query failed: RPC: Timed out",
            "has no export /srv/vm images",
        ),
        ("mount.nfs: Connection timed out", "does not answer"),
        ("mount.nfs: Connection refused", "refuses connections"),
        ("mount.nfs: Failed to resolve server x: Name or service not known", "is not found"),
        ("mount.nfs: requested NFS version or transport protocol is not supported", "version of NFS"),
        ("mount.nfs: an incorrect mount option was specified for /run/x", "not known: vers=4.1"),
        ("mount: /run/x: unknown filesystem type 'nfs'.", "cannot mount NFS"),
        ("list: Permission denied", "lets this node not mount"),
        ("", "does not answer"),
        ("mount.nfs: something odd", "something odd"),
    ],
)
def test_each_failure_is_a_sentence(systemd_run: FakeCommand, said: str, text: str) -> None:
    """What mount.nfs says is put in words that lead somewhere."""
    systemd_run.on("--pipe", status=32, errors=f"{said}\n" if said else "")
    found = try_export()
    assert not found.ok
    assert text in found.text
    assert found.hint


def test_nothing_is_mounted_where_nobody_serves(systemd_run: FakeCommand) -> None:
    """A name that is not known and a port that is closed are found before."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        request = NfsTestRequest("127.0.0.1", "/srv", f"port={port}")
        assert "refuses connections" in check_nfs(request).text
        sock.listen()
        connect("127.0.0.1", port, 5)

    def unknown(name: str) -> tuple[str, ...]:
        raise JoinError(Step.DNS, Code.UNAVAILABLE, "unknown")

    found = check_nfs(NfsTestRequest("absent.example.org", "/srv"), resolve=unknown)
    assert found.text == "The name absent.example.org is not found."
    assert systemd_run.calls == []


@pytest.mark.parametrize(
    "request_",
    [
        NfsTestRequest("-x", "/srv"),
        NfsTestRequest("a b", "/srv"),
        NfsTestRequest("host", "srv"),
        NfsTestRequest("host", "/a\nb"),
        NfsTestRequest("host", "/srv", "bind"),
        NfsTestRequest("host", "/srv", "vers=4,bg"),
        NfsTestRequest("host", "/srv", "x y"),
        NfsTestRequest("host", "/srv", ",,"),
    ],
    ids=str,
)
def test_what_is_no_export_is_refused(request_: NfsTestRequest) -> None:
    """Nothing of it reaches a command."""
    with pytest.raises(InvalidInput):
        check_nfs(request_)


def test_the_program_mounts_lists_and_unmounts(tmp_path: Path) -> None:
    """The one unmount comes whatever happened; mount's own status is passed on."""
    bin_folder, folder = tmp_path / "bin", tmp_path / "mnt"
    mount, umount = FakeCommand(bin_folder, "mount"), FakeCommand(bin_folder, "umount")
    mount.on(
        "nfs", out="mount.nfs: timeout set for later\n", files={str(folder / "a"): "", str(folder / "b"): ""}
    )
    argv = [sys.executable, "-I", str(PROGRAM), str(folder), "192.0.2.8:/srv", "ro"]
    done = subprocess.run(argv, env={"PATH": str(bin_folder)}, capture_output=True, text=True, check=True)
    assert done.stdout == "2\n"
    assert mount.calls == [["-v", "-t", "nfs", "-o", "ro", "--", "192.0.2.8:/srv", str(folder)]]
    assert umount.calls == [["-l", "--", str(folder)]]
    mount.on("nfs", status=32, errors="mount.nfs: Connection refused\n")
    failed = subprocess.run(argv, env={"PATH": str(bin_folder)}, capture_output=True, text=True, check=False)
    assert (failed.returncode, "refused" in failed.stderr) == (32, True)
    assert len(umount.calls) == 1
