"""Storage arrays of the host for a node to use: an iSCSI target with CHAP, and an NFS export.

Neither needs a module of the host's kernel.
"""

import contextlib
import json
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from image.qemu import HOST_ADDRESS
from nodelib.run import run
from tests.vm.guest import wait_until
from tests.vm.joining import free_port

START_SECONDS = 30.0
TARGET, MEBIBYTES = "iqn.2026-01.org.example:array.disk1", 64
USER, PASSWORD = "node1", "correct-horse1"
GANESHA = """\
NFS_CORE_PARAM { NFS_Port = %(port)d; Protocols = 4; Bind_addr = 127.0.0.1;
    Enable_NLM = false; Enable_RQUOTA = false; }
NFSv4 { Graceless = true; RecoveryRoot = "%(folder)s"; }
NFS_KRB5 { Active_krb5 = false; }
"""


@dataclass(frozen=True)
class Array:
    """Where a node finds what is served, and the server's log."""

    address: str
    port: int
    log: Path

    @property
    def portal(self) -> str:
        """Name it as HOST:PORT."""
        return f"{self.address}:{self.port}"


@contextlib.contextmanager
def iscsi_target(folder: Path) -> Iterator[Array]:
    """Serve a disk to whoever has user and password.

    A portal tells its own address to whoever asks for targets, so that it is one which the node reaches too.
    """
    array = Array(own_address(), free_port(), folder / "tgtd.log")
    disk = folder / "array.img"
    with disk.open("wb") as file:
        file.truncate(MEBIBYTES << 20)
    environment = {"TGT_IPC_SOCKET": str(folder / "tgtd")}
    with serving(["tgtd", "-f", "--iscsi", f"portal={array.portal}"], array, environment):
        where = ["--mode", "target", "--tid", "1"]
        unit = ["--mode", "logicalunit", "--tid", "1", "--lun", "1"]
        account = ["--mode", "account", "--user", USER]
        for words in (
            ["--op", "new", *where, "--targetname", TARGET],
            ["--op", "new", *unit, "--backing-store", str(disk)],
            ["--op", "new", *account, "--password", PASSWORD],
            ["--op", "bind", *account, "--tid", "1"],
            ["--op", "bind", *where, "--initiator-address", "ALL"],
        ):
            run(["tgtadm", "--lld", "iscsi", *words], env=environment)
        yield array


@contextlib.contextmanager
def nfs_export(folder: Path) -> Iterator[Array]:
    """Serve the root of all exports by NFS 4 alone; there is no export in it."""
    array = Array(HOST_ADDRESS, free_port(), folder / "ganesha.log")
    settings = folder / "ganesha.conf"
    settings.write_text(GANESHA % {"port": array.port, "folder": folder})
    files = ["-f", settings, "-L", array.log, "-p", folder / "ganesha.pid"]
    with serving(["ganesha.nfsd", "-F", *map(str, files)], array, {}):
        yield array


@contextlib.contextmanager
def serving(argv: Sequence[str], array: Array, environment: Mapping[str, str]) -> Iterator[None]:
    """Run a server from when its port takes connections until the end."""
    address = "127.0.0.1" if array.address == HOST_ADDRESS else array.address
    with array.log.open("ab") as log:
        process = subprocess.Popen(
            ("setpriv", "--pdeathsig", "KILL", *argv),
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )

    def listens() -> bool:
        assert process.poll() is None, array.log.read_text()
        with socket.socket() as client:
            return client.connect_ex((address, array.port)) == 0

    try:
        wait_until(listens, START_SECONDS, f"{argv[0]} to listen; see {array.log}", pause=0.2)
        yield
    finally:
        process.kill()
        process.wait()


def own_address() -> str:
    """Name an address of the host that is no loopback."""
    ports = json.loads(run(["ip", "-json", "-4", "address", "show", "scope", "global"]).stdout)
    addresses = [str(one["local"]) for port in ports for one in port.get("addr_info", ())]
    assert addresses, "this host has no IPv4 address but loopback's, which a node cannot reach"
    return addresses[0]
