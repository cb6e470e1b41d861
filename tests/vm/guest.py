"""A node in QEMU that a test drives: a root shell from outside, wires to other nodes, and the plug to pull.

Nothing of it is in the image: the shell is a unit that reaches the node as a credential of the machine.
"""

import base64
import contextlib
import itertools
import json
import logging
import os
import re
import select
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from image.accelerator import Accelerator
from image.netboot import copy_pxe, serve_folder
from image.qemu import HOST_ADDRESS
from image.verify.inquiry import SAME_ADDRESSES, unit_credentials, write_credentials
from nodelib.run import run

logger = logging.getLogger(__name__)

PORT = "org.virtnode.test"
SHELL = """\
port=/dev/virtio-ports/org.virtnode.test
until [ -e "$port" ]; do sleep 1; done
while sleep 0.2; do
    exec 3<>"$port"
    while read -r number command <&3; do
        printf %s "$command" | base64 -d >/run/test-command
        timeout 900 sh /run/test-command >/run/test-output 2>&1 3>&- </dev/null
        printf '%s %s %s\\n' "$number" "$?" "$(base64 -w0 </run/test-output)" >&3
    done
done
"""
UNIT = """\
[Unit]
Description=Run what the test says
DefaultDependencies=no
After=systemd-journald.socket

[Service]
ImportCredential=test-shell.*
ExecStart=/bin/sh %d/test-shell.sh
Restart=always
"""
KEY_SECONDS, QUIET_SECONDS = 1.0, 0.05
"""How long a key may take to show, and how long nothing comes once it has shown."""
ESCAPE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|.)")
CONSOLE_CHARACTERS = 6000
"""How much of the serial line a failure shows."""
BOOT_SECONDS = 900.0
"""How long a node may take on a busy machine without hardware virtualisation until its shell answers."""


@dataclass(frozen=True)
class Boot:
    """What is started: QEMU's options for a medium, and for the network card that may start it."""

    options: tuple[str, ...]
    network: str = ""
    """What the host's network is told beside its name: `tftp=FOLDER,bootfile=NAME`."""


@dataclass(frozen=True)
class Wire:
    """One end of a cable between two nodes: both ends name each other's socket."""

    mac: str
    local: Path
    remote: Path


class Bus(Enum):
    """How the disk is attached."""

    VIRTIO = "virtio"
    SATA = "sata"
    SCSI = "scsi"
    NVME = "nvme"


DISK_DEVICES = {
    Bus.VIRTIO: ("virtio-blk-pci",),
    Bus.SATA: ("ide-hd,bus=ide.1",),
    Bus.SCSI: ("virtio-scsi-pci,id=scsi", "scsi-hd,bus=scsi.0"),
    Bus.NVME: ("nvme",),
}
"""The devices of each; the disk is the last."""


@dataclass(frozen=True)
class Hardware:
    """What is plugged in; the first NIC reaches the host at 10.0.2.2."""

    folder: Path
    """For sockets and logs; a short path, for a socket's name has at most 107 characters."""
    uuid: str
    mac: str = "52:54:00:00:00:01"
    state: Path | None = None
    bus: Bus = Bus.VIRTIO
    """What `state` is attached by."""
    write_log: Path | None = None
    """Where QEMU keeps a record of all that is written to `state`, and of each flush."""
    state_starts: bool = False
    """The firmware tries `state` before any other medium."""
    wires: tuple[Wire, ...] = ()
    memory: int = 1536
    cpus: int = 1


@dataclass
class Guest:
    """A machine that can be switched on and off."""

    hardware: Hardware
    boot: Boot
    accelerator: Accelerator
    _process: subprocess.Popen[bytes] | None = None
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _shell: socket.socket | None = None
    _monitor: socket.socket | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _unread: bytes = b""

    def type(self, text: str) -> None:
        """Type on the first serial line: each key once the one before has shown, as a person does."""
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.hardware.folder / "console.socket"))
            for letter in text:
                line.sendall(letter.encode())
                _watch_echo(line)

    @property
    def console_log(self) -> Path:
        """What the first serial port showed, of all boots."""
        return self.hardware.folder / "console.log"

    def switch_on(self) -> None:
        """Start the machine; `wait_for_shell` waits until it is of use."""
        self._stack = contextlib.ExitStack()
        listeners = {name: self._stack.enter_context(self._listen(name)) for name in ("shell", "qmp")}
        log = self._stack.enter_context((self.hardware.folder / "qemu.log").open("ab"))
        for wire in self.hardware.wires:
            wire.local.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            ("setpriv", "--pdeathsig", "KILL", *self._command()),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        self._shell, self._monitor = (
            self._stack.enter_context(_accept(listeners[name])) for name in ("shell", "qmp")
        )
        self._unread = b""
        self._monitor_call("qmp_capabilities")

    def pull_the_plug(self) -> None:
        """End the machine as a power failure does: nothing is written any more."""
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
        self._stack.close()

    def has_ended(self) -> bool:
        """Tell whether the machine has switched itself off."""
        return self._process is None or self._process.poll() is not None

    def set_link(self, name: str, *, up: bool) -> None:
        """Plug or unplug a cable: `host`, or `wireN`."""
        self._monitor_call("set_link", name=name, up=up)

    def forward(self, port: int, host_port: int) -> None:
        """Let the host reach a port of the node at 127.0.0.1, as a machine beside the node would."""
        line = f"hostfwd_add host tcp:127.0.0.1:{host_port}-:{port}"
        self._monitor_call("human-monitor-command", **{"command-line": line})

    def send_keys(self, *keys: str) -> None:
        """Press keys of the machine's own keyboard, by QEMU's names, one after the other; `+` joins some."""
        for key in keys:
            codes = [{"type": "qcode", "data": code} for code in key.split("+")]
            self._monitor_call("send-key", keys=codes)

    def screenshot(self, path: Path) -> None:
        """Keep what the machine's own screen shows as a PNG."""
        self._monitor_call("screendump", filename=str(path), format="png")

    def wait_for_shell(self, seconds: float = BOOT_SECONDS) -> None:
        """Wait until the node runs commands."""
        wait_until(lambda: self._answers(), seconds, f"a shell on {self.hardware.folder.name}")

    def try_run(self, command: str, seconds: float = 130.0) -> tuple[int, str]:
        """Run a line of shell in the node as root; return its status and what it printed."""
        assert self._shell is not None
        number = f"{next(self._numbers)}.{time.monotonic_ns()}"
        line = f"{number} {base64.b64encode(command.encode()).decode()}\n"
        self._shell.sendall(line.encode())
        answer = self._read_answer(number, time.monotonic() + seconds)
        status, _, text = answer.partition(" ")
        return int(status), base64.b64decode(text).decode(errors="replace")

    def run(self, command: str, seconds: float = 130.0) -> str:
        """Run a line of shell in the node, which must succeed, and return what it printed."""
        status, output = self.try_run(command, seconds)
        assert status == 0, f"{command}: status {status}: {output}"
        return output

    def _answers(self) -> bool:
        try:
            return self.try_run("true", seconds=5)[0] == 0
        except TimeoutError:
            return False

    def _read_answer(self, number: str, deadline: float) -> str:
        assert self._shell is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._shell, selectors.EVENT_READ)
            while True:
                *lines, self._unread = self._unread.split(b"\n")
                for line in lines:
                    # What a former boot still said, or an answer nobody waited for, is passed over.
                    word, _, rest = line.decode(errors="replace").partition(" ")
                    if word == number:
                        return rest
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise TimeoutError(f"{self.hardware.folder.name} did not answer")
                data = self._shell.recv(1 << 16)
                assert data, f"{self.hardware.folder.name} has ended"
                self._unread += data

    def _monitor_call(self, command: str, **arguments: object) -> None:
        assert self._monitor is not None
        with self._monitor.makefile("rw") as monitor:
            monitor.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
            monitor.flush()
            for line in monitor:
                answer = json.loads(line)
                assert "error" not in answer, answer
                if "return" in answer:
                    return

    @contextlib.contextmanager
    def _listen(self, name: str) -> Iterator[socket.socket]:
        path = self.hardware.folder / f"{name}.socket"
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(1)
            listener.settimeout(60)
            yield listener

    def _command(self) -> list[str]:
        hardware, folder = self.hardware, self.hardware.folder
        credentials = {"test-shell.sh": SHELL, **unit_credentials("test-shell.service", UNIT)}
        credentials |= SAME_ADDRESSES if self.accelerator.emulated else {}
        files = write_credentials(credentials, folder)
        argv = [self.accelerator.program, "-no-user-config", "-nodefaults", *self.accelerator.options]
        argv += ["-machine", "q35", "-uuid", hardware.uuid, "-smbios", f"type=1,serial={hardware.uuid[:8]}"]
        argv += ["-smp", str(hardware.cpus), "-m", str(hardware.memory), "-display", "none"]
        argv += ["-device", "virtio-rng-pci", "-device", "virtio-serial-pci"]
        console = f"path={folder}/console.socket,server=on,wait=off,logfile={folder}/console.log,logappend=on"
        argv += ["-chardev", f"socket,id=console,{console}", "-serial", "chardev:console"]
        argv += ["-chardev", f"socket,id=shell,path={folder}/shell.socket"]
        argv += ["-device", f"virtserialport,chardev=shell,name={PORT}"]
        argv += ["-chardev", f"socket,id=qmp,path={folder}/qmp.socket", "-mon", "chardev=qmp,mode=control"]
        argv += self.boot.options
        argv += ["-netdev", ",".join(filter(None, ("user,id=host", self.boot.network)))]
        card = f"virtio-net-pci,netdev=host,mac={hardware.mac}"
        argv += ["-device", f"{card},bootindex=2" if self.boot.network else f"{card},romfile="]
        argv += _state_options(hardware)
        for number, wire in enumerate(hardware.wires):
            ends = f"local.type=unix,local.path={wire.local},remote.type=unix,remote.path={wire.remote}"
            argv += ["-netdev", f"dgram,id=wire{number},{ends}"]
            # LACP asks a port for its speed, and virtio has none unless it is told.
            device = f"virtio-net-pci,netdev=wire{number},mac={wire.mac},speed=1000,duplex=full,romfile="
            argv += ["-device", device]
        return argv + [word for file in files for word in ("-smbios", f"type=11,path={file}")]


def _state_options(hardware: Hardware) -> list[str]:
    if not hardware.state:
        return []
    *others, disk = DISK_DEVICES[hardware.bus]
    disk += ",drive=state,serial=state" + (",bootindex=0" if hardware.state_starts else "")
    if hardware.write_log:
        # QEMU joins requests until they are too long for one that also writes the record, and fails them.
        disk += ",request-merging=off"
    devices = [word for device in (*others, disk) for word in ("-device", device)]
    if not hardware.write_log:
        return ["-drive", f"if=none,id=state,format=raw,file={hardware.state}", *devices]
    hardware.write_log.touch()
    files = {"disk": hardware.state, "log": hardware.write_log}
    nodes = [f"driver=file,filename={path},node-name={name}" for name, path in files.items()]
    nodes.append("driver=blklogwrites,file=disk,log=log,node-name=state")
    return [*(word for node in nodes for word in ("-blockdev", node)), *devices]


def _accept(listener: socket.socket) -> socket.socket:
    return listener.accept()[0]


def _watch_echo(line: socket.socket) -> None:
    """Read what a key brings onto the line until it is quiet again; a key may show nothing at all."""
    patience = KEY_SECONDS
    while select.select([line], [], [], patience)[0]:
        assert line.recv(1 << 16), "the machine has ended"
        patience = QUIET_SECONDS


def wait_until(condition: Callable[[], bool], seconds: float, what: str, *, pause: float = 1.0) -> None:
    """Wait for a condition; raises AssertionError with `what` when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(pause)


def cd_options(iso: Path) -> tuple[str, ...]:
    """Put an ISO into the machine's CD drive."""
    drive = f"if=none,id=cd,format=raw,media=cdrom,readonly=on,file={iso}"
    return ("-drive", drive, "-device", "ide-cd,drive=cd,bus=ide.0,bootindex=1")


def usb_options(iso: Path) -> tuple[str, ...]:
    """Plug a stick with an ISO on it into the machine."""
    drive = f"if=none,id=stick,format=raw,readonly=on,file={iso}"
    stick = "usb-storage,drive=stick,removable=on,bootindex=1"
    return ("-device", "qemu-xhci", "-drive", drive, "-device", stick)


def kernel_boot(artefacts: Path, folder: Path, arguments: Sequence[str]) -> Boot:
    """Take kernel and initramfs out of a build's ISO, to start them with arguments of the test's own."""
    iso = next(artefacts.glob("*.iso"))
    for name in ("vmlinuz", "initrd.img"):
        run(["xorriso", "-osirrox", "on", "-indev", iso, "-extract", f"/boot/{name}", folder / name])
    plan = json.loads((artefacts / "manifest.json").read_text())["identity"]["plan"]
    medium = (
        f"root=live:CDLABEL=VIRTNODE-{plan[:8].upper()}",
        "rd.live.image",
        "rd.live.overlay.overlayfs=1",
    )
    words = (*medium, "console=tty0", "console=ttyS0", *arguments)
    kernel = ("-kernel", str(folder / "vmlinuz"), "-initrd", str(folder / "initrd.img"))
    return Boot((*kernel, "-append", " ".join(words), *cd_options(iso)))


def menu_boot(artefacts: Path) -> Boot:
    """Start a build's ISO as a person does: with its boot menu, on screen and serial line."""
    return Boot(("-vga", "std", *cd_options(next(artefacts.glob("*.iso")))))


def with_screen(guest: Guest) -> Guest:
    """Give a machine a screen and a keyboard."""
    guest.boot = Boot(("-vga", "std", *guest.boot.options), guest.boot.network)
    return guest


@contextlib.contextmanager
def network_boot(artefacts: Path, folder: Path, arguments: Sequence[str]) -> Iterator[Boot]:
    """Serve a build's PXE folder, with these kernel arguments in its iPXE script, while the machine runs."""
    copy = folder / "pxe"
    with serve_folder(copy) as port:
        copy_pxe(artefacts / "pxe", copy, f"http://{HOST_ADDRESS}:{port}")
        script = (copy / "boot.ipxe").read_text()
        lines = [
            " ".join([line, *arguments]) if line.startswith("kernel ") else line
            for line in script.splitlines()
        ]
        assert "\n".join(lines) != script.rstrip("\n"), script
        (copy / "boot.ipxe").unlink()  # it may share its data with the build's
        (copy / "boot.ipxe").write_text("\n".join(lines) + "\n")
        yield Boot(("-vga", "std"), f"tftp={copy},bootfile=boot.ipxe")


def make_state_disk(path: Path, mebibytes: int = 256) -> Path:
    """Make a disk that is one file system with the label by which a node finds its state."""
    with path.open("wb") as disk:
        disk.truncate(mebibytes << 20)
    run(["mke2fs", "-q", "-t", "ext4", "-L", "virtnode-state", path])
    return path


def keep_evidence(guest: Guest, target: Path) -> str:
    """Copy what a failed test leaves to look at, and name the place."""
    target.mkdir(parents=True, exist_ok=True)
    for name in ("console.log", "qemu.log"):
        with contextlib.suppress(OSError):
            (target / name).write_bytes((guest.hardware.folder / name).read_bytes())
    with contextlib.suppress(TimeoutError, OSError, AssertionError):
        (target / "journal.log").write_text(guest.try_run("journalctl --no-pager --boot")[1])
    return os.fspath(target)


def end_of_console(guest: Guest) -> str:
    """Return the last lines of the serial line, for whoever has only the test's output to look at."""
    text = guest.console_log.read_text(errors="replace") if guest.console_log.exists() else ""
    lines = re.split(r"[\r\n]+", ESCAPE.sub(" ", text[-CONSOLE_CHARACTERS:]))
    return "\n".join(line.strip() for line in lines if line.strip())


@contextlib.contextmanager
def switched_on(guest: Guest, evidence: Path, *logs: Path) -> Iterator[Guest]:
    """Switch a machine on, and off in the end; a failure names what it leaves to look at, and `logs`."""
    guest.switch_on()
    try:
        yield guest
    except (AssertionError, TimeoutError) as error:
        places = ", ".join([keep_evidence(guest, evidence), *map(str, logs)])
        text = f"{error} ({guest.accelerator.name}); see {places}; the serial line ends with:\n"
        text += end_of_console(guest)
        raise AssertionError(text) from error
    finally:
        guest.pull_the_plug()
