"""Whether an NFS export can be mounted, tried in a unit of its own that leaves nothing behind."""

import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from nodeagent.dial import is_address, resolve
from nodeagent.probes.deadline import within
from nodeagent.storage.forms import read_export, read_options, read_server
from nodelib.bus_network import ProbeReply
from nodelib.bus_storage import NfsTestRequest
from nodelib.errors import VirtnodeError
from nodelib.run import Result, run

PROGRAM = Path(__file__).with_name("nfs_program.py")
PLACE = "virtnode/nfs-test"
"""Below /run; systemd makes it for the unit, and takes it away."""
LIMIT = 20.0
"""Seconds for all of it."""
CONNECT_PATIENCE = 4.0
UNIT_LIMIT = 14
SAFE_OPTIONS = ("ro", "soft", "timeo=30", "retrans=1", "retry=0", "nolock", "nosuid", "nodev", "noexec")
"""They come last, and the last word counts; retry=0 keeps mount.nfs from trying for minutes."""
NFS_PORT = 2049

MEANINGS = (
    ("access denied", "The server lets this node not mount {what}.", "add this node to the export's clients"),
    ("Permission denied", "The server lets this node not mount {what}.", "add this node to the export"),
    ("Operation not permitted", "The server refuses {what} to this node.", "look at the export's options"),
    ("No such file or directory", "The server has no export {path}.", "is the path spelled right?"),
    ("Stale file handle", "The server has no export {path} any more.", "export it again"),
    ("Not a directory", "{path} on the server is not a folder.", "export a folder"),
    ("resolve", "The name {server} is not found.", "check the name and this node's DNS servers"),
    ("Connection refused", "The server {server} refuses connections.", "is its NFS service running?"),
    ("timed out", "The server {server} does not answer.", "does a firewall stand in the way?"),
    ("No route to host", "The server {server} cannot be reached.", "check addresses and gateway"),
    ("unreachable", "The server {server} cannot be reached.", "check addresses and gateway"),
    ("not supported", "The server does not speak this version of NFS.", "try another, as in vers=3"),
    ("incorrect mount option", "An option is not known: {options}.", "leave it out"),
    ("unknown filesystem type", "This image cannot mount NFS.", "use an image with NFS"),
    ("No such device", "This image cannot mount NFS.", "use an image with NFS"),
    ("bad option", "This image cannot mount NFS.", "use an image with NFS"),
)
"""What mount.nfs says, what it means, and what to do; the first that fits counts."""

RunCommand = Callable[[Sequence[str], float], Result]
Connect = Callable[[str, int, float], None]


def connect(address: str, port: int, timeout: float) -> None:
    """Prove that a port takes connections; raises OSError."""
    socket.create_connection((address, port), timeout).close()


def run_unit(argv: Sequence[str], timeout: float) -> Result:
    """Run a command to its end, however that is."""
    return run(argv, check=False, timeout=timeout)


def nfs_argv(server: str, path: str, options: Sequence[str]) -> list[str]:
    """Have a unit of its own mount the export: what it mounts is seen by nobody else and ends with it."""
    properties = [
        "PrivateMounts=yes",
        f"RuntimeDirectory={PLACE}",
        "RuntimeDirectoryMode=0700",
        f"RuntimeMaxSec={UNIT_LIMIT}",
        "TimeoutStopSec=2",
        "NoNewPrivileges=yes",
        "MemoryMax=256M",
    ]
    source = f"[{server}]:{path}" if ":" in server else f"{server}:{path}"
    # The service manager takes a single dollar sign for a variable.
    source = source.replace("$", "$$")
    return [
        *("systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--service-type=exec"),
        *(f"--property={one}" for one in properties),
        *("--", sys.executable, "-I", str(PROGRAM), f"/run/{PLACE}", source),
        ",".join([*options, *SAFE_OPTIONS]),
    ]


def check_nfs(
    request: NfsTestRequest,
    *,
    run_unit: RunCommand = run_unit,
    connect: Connect = connect,
    resolve: Callable[[str], tuple[str, ...]] = resolve,
    clock: Callable[[], float] = time.monotonic,
) -> ProbeReply:
    """Try an export; raises InvalidInput for what is none, and VirtnodeError where it cannot be tried."""
    server, path = read_server(request.server), read_export(request.path)
    options = read_options(request.options)
    began = clock()
    try:
        address = server if is_address(server) else _first(server, resolve)
        connect(address, _port_of(options), CONNECT_PATIENCE)
    except (OSError, VirtnodeError) as error:
        said = "resolve" if isinstance(error, VirtnodeError) else str(error)
        return explain(said, server, path, options)
    took = clock() - began
    result = run_unit(nfs_argv(server, path, options), max(1.0, LIMIT - took))
    if result.status == 0 and result.stdout.strip().isdecimal():
        entries = int(result.stdout)
        what = "1 entry" if entries == 1 else f"{entries} entries"
        return ProbeReply(True, f"{server}:{path} can be mounted; it has {what}.", "", round(took * 1000, 1))
    return explain(result.stderr or "timed out", server, path, options)


def explain(said: str, server: str, path: str, options: Sequence[str]) -> ProbeReply:
    """Say in a sentence what mount.nfs, or the way to the server, complained about."""
    words = {"what": f"{server}:{path}", "server": server, "path": path, "options": ",".join(options)}
    for mark, text, hint in MEANINGS:
        if mark.lower() in said.lower():
            return ProbeReply(False, text.format(**words), hint)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = lines[-1] if lines else "it said nothing"
    return ProbeReply(False, f"{server}:{path} cannot be mounted: {last[:200]}.", "look at the server's log")


def _first(server: str, resolve: Callable[[str], tuple[str, ...]]) -> str:
    return within(CONNECT_PATIENCE, lambda: resolve(server), "the look-up")[0]


def _port_of(options: Sequence[str]) -> int:
    given = [option.partition("=")[2] for option in options if option.startswith("port=")]
    return int(given[-1]) if given and given[-1].isdecimal() and int(given[-1]) < 65536 else NFS_PORT
