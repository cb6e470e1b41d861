"""What the console does only in a machine: login prompts, SSH, guests, a stick, arrays, a keyboard."""

import contextlib
import io
import json
import re
import socket
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from image.accelerator import Accelerator
from image.qemu import HOST_ADDRESS
from tests.vm import storage_servers
from tests.vm.greeter import GREETING, define_greeter
from tests.vm.guest import Boot, Guest, switched_on, wait_until, with_screen
from tests.vm.joining import free_port, make_node, short_folder
from tests.vm.screen import Screen
from tests.vm.ssh_client import REFUSED, SshClient
from tests.vm.stick import LABEL, make_stick, take_files
from tests.vm.storage_servers import TARGET, Array, iscsi_target, nfs_export
from tests.vm.terminal import FRAME, Terminal, terminal_on
from tests.vm.test_console import (
    BOOT_SECONDS,
    HOST_NAME,
    ask_for_name,
    go_and_enter,
    go_and_type,
    keep,
)
from tests.vm.test_install import wait_for_agent

pytestmark = [pytest.mark.vm, pytest.mark.thorough, pytest.mark.timeout(3600)]

PASSWORD, WRONG = "correct horse", "wrong horse"
PROMPT, CONTENT = "login:", "VMs running"
ASKED = "Changes need the password of admin"
GUEST_SECONDS, ARCHIVE_SECONDS, CALM_SECONDS = 180.0, 400.0, 300.0
URL = re.compile(r"http://\S+?\.tar\.gz")
BROKEN_AGENT = "/run/systemd/system/virtnode-agent.service.d/broken.conf"


@dataclass(frozen=True)
class Desk:
    """A node, a terminal on its serial line, and what lies beside them."""

    node: Guest
    terminal: Terminal
    folder: Path


@contextlib.contextmanager
def desk(node: Guest, tmp_path: Path) -> Iterator[Desk]:
    """Switch a node on, and wait until its agent answers."""
    with switched_on(node, tmp_path / "evidence"), terminal_on(node) as terminal:
        wait_for_agent(node)
        yield Desk(node, terminal, tmp_path)


def test_people_log_in_on_a_line_and_over_ssh(
    artefacts: Path, accelerator: Accelerator, tmp_path: Path
) -> None:
    """A prompt that wants a password, keys over the network, and SSH that comes when the agent is dead."""
    with short_folder(tmp_path) as folder:
        node = make_node(artefacts, folder / "node", accelerator, arguments=["node.console=login"])
        with desk(node, tmp_path) as here:
            ssh = SshClient(free_port(), tmp_path)
            node.forward(22, ssh.port)
            the_prompt_lets_nobody_in(here)
            the_prompt_gives_the_console_for_a_shell(here)
            keys_alone_log_in(here, ssh)
            a_change_over_ssh_asks_for_the_password(here, ssh)
            ssh_comes_when_the_agent_is_dead(here, ssh)


def test_a_technician_uses_every_screen(artefacts: Path, accelerator: Accelerator, tmp_path: Path) -> None:
    """Guests and their consoles, archives, iSCSI, NFS, a port's light, a keyboard, a way to the prompt."""
    with (
        short_folder(tmp_path) as folder,
        iscsi_target(folder) as disks,
        nfs_export(folder) as files,
    ):
        node = with_screen(make_node(artefacts, folder / "node", accelerator))
        node.boot = Boot((*node.boot.options, *make_stick(tmp_path / "stick.img")))
        with desk(node, tmp_path) as here:
            here.terminal.wait_for(CONTENT, BOOT_SECONDS)
            there_is_no_prompt_without_a_password(here)
            a_guest_speaks_in_a_pane(here)
            a_restart_counts_the_guest(here)
            the_guest_loses_its_power(here)
            an_archive_goes_onto_a_stick(here)
            an_archive_is_fetched_thrice(here)
            a_target_brings_a_disk(here, disks)
            an_export_is_tried(here, files)
            a_port_without_a_light_says_so(here)
            a_keyboard_is_german(here)
            the_console_leaves_for_the_prompt_and_comes_back(here)


def the_prompt_lets_nobody_in(here: Desk) -> None:
    """Try to log in where no password is set."""
    here.terminal.wait_for(PROMPT, BOOT_SECONDS)
    assert FRAME not in here.terminal.text
    log_in(here, PASSWORD)
    here.terminal.wait_for("Login incorrect")


def the_prompt_gives_the_console_for_a_shell(here: Desk) -> None:
    """Log in with the password that was set; leaving the console brings the prompt again."""
    here.node.run(f"echo '{PASSWORD}' | virtnodectl password")
    here.terminal.wait_for(PROMPT)
    log_in(here, PASSWORD)
    here.terminal.wait_for(CONTENT, 120)
    assert consoles_of(here.node) == ["admin"]
    here.terminal.press("q")
    here.terminal.wait_for(PROMPT)
    wait_until(lambda: not consoles_of(here.node), 60, "the end of the console")


def keys_alone_log_in(here: Desk, ssh: SshClient) -> None:
    """Be refused while SSH is off, by another key, and with the password; be let in by the right key."""
    configure(here.node, 'ssh = "off"')
    wait_until(lambda: not answers(ssh.port), 60, "SSH to end")
    right, _ = ssh.make_key("right"), ssh.make_key("other")
    configure(here.node, f'ssh = "on"\nssh_keys = ["{right}"]')
    wait_until(lambda: answers(ssh.port), 60, "SSH to answer")
    for options in (("-i", str(here.folder / "other")), ("-o", "PubkeyAuthentication=no")):
        refused = ssh.attempt(*options)
        assert refused.status == REFUSED, refused
        assert "Permission denied (publickey)" in refused.stderr
    with ssh.session("right") as terminal:
        terminal.wait_for(CONTENT, 120)
        assert "admin" in consoles_of(here.node)
        wait_until(lambda: ssh.fingerprint() in pane_of(terminal), 60, "the key that the node proved to have")
        terminal.press("q")
        terminal.wait_for("closed.")
    wait_until(lambda: not consoles_of(here.node), 60, "the end of the console")


def a_change_over_ssh_asks_for_the_password(here: Desk, ssh: SshClient) -> None:
    """Give a wrong password, then the right one; lock, and be asked again."""
    with ssh.session("right") as terminal:
        terminal.wait_for(CONTENT, 120)
        ask_for_name(terminal)
        terminal.type(HOST_NAME)
        go_and_enter(terminal, 6)
        terminal.wait_for(f"- host name {HOST_NAME}")
        go_and_enter(terminal, 1)
        terminal.wait_for(ASKED)
        terminal.type(f"{WRONG}\r")
        terminal.wait_for("The password is wrong")
        terminal.type(f"{PASSWORD}\r")
        keep(terminal)
        assert here.node.run("hostname").strip() == HOST_NAME
        assert " locked " not in terminal.text.splitlines()[0]
        terminal.press("7")
        terminal.wait_for("SSH keys that may log in")
        terminal.press("l")
        terminal.wait_for("This console is locked.")
        terminal.press("enter")
        terminal.wait_for(" locked ")
        terminal.press("9")
        terminal.wait_for("Support archive")
        terminal.press("a")
        terminal.wait_for("Where to?")
        terminal.press("down", "down", "enter")
        terminal.wait_for(ASKED)


def ssh_comes_when_the_agent_is_dead(here: Desk, ssh: SshClient) -> None:
    """See SSH end while the node is well, open because the agent cannot start, and end once it is back."""
    node = here.node
    configure(node, 'ssh = "automatic"')
    wait_until(lambda: not answers(ssh.port), CALM_SECONDS, "SSH to end while all is well")
    node.run(f"mkdir -p {Path(BROKEN_AGENT).parent}")
    node.run(f"printf '[Service]\\nExecStartPre=/bin/false\\n' >{BROKEN_AGENT} && systemctl daemon-reload")
    node.run("systemctl kill --signal=KILL virtnode-agent.service")
    wait_until(lambda: answers(ssh.port), 60, "SSH to answer")
    with ssh.session("right") as terminal:
        terminal.wait_for("Waiting for the agent", 120)
    node.run(f"rm {BROKEN_AGENT} && systemctl daemon-reload && systemctl restart virtnode-agent.service")
    wait_until(lambda: not answers(ssh.port), CALM_SECONDS, "SSH to end since the agent is back")


def there_is_no_prompt_without_a_password(here: Desk) -> None:
    """Choose to log in, and be told that nobody could."""
    terminal = here.terminal
    terminal.press("f12")
    terminal.wait_for("Switch off")
    terminal.press("down", "down", "down", "enter")
    terminal.wait_for("Nobody could log in")
    terminal.press("enter")
    terminal.wait_until_gone("Nobody could log in")


def a_guest_speaks_in_a_pane(here: Desk) -> None:
    """Start a guest from the list, open its console, type, see it repeated, and leave."""
    terminal = here.terminal
    define_greeter(here.node)
    terminal.press("6")
    terminal.wait_for("shut off", GUEST_SECONDS)
    terminal.press("s")
    terminal.wait_for("running", GUEST_SECONDS)
    terminal.press("c")
    terminal.wait_for("Ctrl-] leaves")
    # What it says before its console is opened nobody hears; Enter has it say so again.
    wait_until(lambda: greets(terminal), GUEST_SECONDS, "the guest's greeting")
    terminal.press(*"echo 12q")
    terminal.wait_for("echo 12q")
    terminal.press("ctrl+]")
    terminal.wait_until_gone("Ctrl-] leaves")
    terminal.wait_for("running")


def a_restart_counts_the_guest(here: Desk) -> None:
    """Ask for a restart: it is counted, then named, and nothing is done."""
    terminal = here.terminal
    terminal.press("f12")
    terminal.wait_for("Switch off")
    terminal.press("down", "enter")
    terminal.wait_for("1 running virtual machine would be stopped.")
    terminal.press("right", "enter")
    terminal.wait_for("Virtual machines run: greeter.")
    terminal.press("enter")
    terminal.wait_until_gone("Stop these virtual machines?")
    assert here.node.run("virsh domstate greeter").strip() == "running"


def the_guest_loses_its_power(here: Desk) -> None:
    """Power the guest off, after a question."""
    terminal = here.terminal
    terminal.press("o")
    terminal.wait_for("Switch greeter off?")
    terminal.press("right", "enter")
    terminal.wait_for("shut off")
    assert here.node.run("virsh domstate greeter").strip() == "shut off"


def an_archive_goes_onto_a_stick(here: Desk) -> None:
    """Have an archive written to the stick, and read it where whoever helps does."""
    terminal = here.terminal
    terminal.press("9")
    terminal.wait_for("Support archive")
    terminal.press("a")
    terminal.wait_for("Where to?")
    terminal.press("enter")
    terminal.wait_for(LABEL)
    terminal.press("enter")
    terminal.wait_for("The drive can be taken out now.", ARCHIVE_SECONDS)
    terminal.press("enter")
    (found,) = take_files(here.folder / "stick.img", here.folder / "stick")
    check_archive(found.read_bytes())


def an_archive_is_fetched_thrice(here: Desk) -> None:
    """Fetch an archive from the address that is shown, over the network, until it is there no more."""
    terminal = here.terminal
    terminal.press("a")
    terminal.wait_for("Where to?")
    terminal.press("down", "down", "enter")
    terminal.wait_for("Open this address", ARCHIVE_SECONDS)
    found = URL.search("".join(line.strip() for line in terminal.text.splitlines()))
    assert found, terminal.text
    server, _, path = found[0].removeprefix("http://").partition("/")
    port = free_port()
    here.node.forward(int(server.rpartition(":")[2]), port)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetch(f"http://127.0.0.1:{port}/{path}x")
    for _ in range(3):
        check_archive(fetch(f"http://127.0.0.1:{port}/{path}"))
    wait_until(lambda: not is_offered(f"http://127.0.0.1:{port}/{path}"), 60, "the end of the offer")
    wait_until(lambda: "downloads" not in here.node.run("nft list table inet virtnode"), 30, "a closed port")
    terminal.press("esc")


def a_target_brings_a_disk(here: Desk, array: Array) -> None:
    """Find a target, log in with a wrong password and the right one; see the disk come and go."""
    terminal = here.terminal
    terminal.press("4")
    terminal.wait_for("Find targets")
    terminal.press("f")
    terminal.wait_for("Portal")
    terminal.type(array.portal)
    go_and_enter(terminal, 2)
    terminal.wait_for(f"Targets at {array.portal}")
    terminal.press("enter")
    terminal.wait_for("CHAP user")
    terminal.type(storage_servers.USER)
    go_and_type(terminal, WRONG)
    go_and_enter(terminal, 2)
    terminal.wait_for("Are CHAP's user and password right?")
    terminal.press("tab")
    terminal.type("\t")
    terminal.press("end")
    terminal.erase(len(WRONG))
    terminal.type(storage_servers.PASSWORD)
    go_and_enter(terminal, 2)
    terminal.wait_for(f"Logged in to {TARGET}.", 120)
    terminal.press("enter")
    disk = here.node.run("lsblk --noheadings --nodeps --output NAME,TRAN | grep iscsi").split()[0]
    terminal.wait_for(f"| {disk} ")
    terminal.press("o")
    terminal.wait_for("Log out of a target")
    terminal.press("enter")
    terminal.wait_for("Log out of this target?")
    terminal.press("right", "enter")
    wait_until(lambda: "iscsi" not in here.node.run("lsblk --output TRAN"), 60, "the disk to go")
    terminal.wait_until_gone(f"| {disk} ")


def an_export_is_tried(here: Desk, server: Array) -> None:
    """Try an export that is not there, then one that is."""
    terminal = here.terminal
    terminal.press("t")
    terminal.wait_for("Test an NFS export")
    terminal.type(HOST_ADDRESS)
    go_and_type(terminal, "/nothing")
    go_and_type(terminal, f"port={server.port}")
    go_and_enter(terminal, 2)
    terminal.wait_for("The server has no export /nothing.")
    terminal.press("enter")
    terminal.wait_until_gone("It cannot be mounted")
    # The form stays, for another try.
    terminal.type("\t")
    go_and_type(terminal, "/", erase=len("/nothing"))
    go_and_enter(terminal, 3)
    terminal.wait_for(f"{HOST_ADDRESS}:/ can be mounted; it has 0 entries.")
    terminal.press("enter")


def a_port_without_a_light_says_so(here: Desk) -> None:
    """Ask a port of an emulated machine to blink."""
    terminal = here.terminal
    terminal.press("3")
    terminal.wait_for("port up")
    terminal.press("b")
    terminal.wait_for("cannot blink.")
    terminal.wait_for("Virtual ports have no light")
    terminal.press("enter")


def a_keyboard_is_german(here: Desk) -> None:
    """Choose the layout, and press what is Y elsewhere on the machine's own keyboard."""
    terminal, node = here.terminal, here.node
    terminal.press("0")
    terminal.wait_for("< us >")
    terminal.press("enter")
    terminal.wait_for("Filter")
    terminal.press(*"de")
    terminal.press("enter")
    terminal.wait_for("< de >")
    go_and_enter(terminal, 2)
    terminal.wait_for("What will change")
    go_and_enter(terminal, 1)
    keep(terminal)
    screen = Screen(node)
    # The other console asks about the same change, and hears of its end a little later.
    screen.wait_until_gone("Keep this change?")
    for keys, shown in (("3", "port up"), ("n", "Names, time, proxy"), ("yz", "[zy")):
        screen.press(*keys)
        screen.wait_for(shown)
    screen.press("esc")
    screen.wait_for("port up")


def the_console_leaves_for_the_prompt_and_comes_back(here: Desk) -> None:
    """Set a password, leave by the action's name; log in and out, then come back without."""
    terminal, node = here.terminal, here.node
    terminal.press("7")
    terminal.wait_for("Set password")
    terminal.press("p")
    terminal.wait_for("The same again")
    terminal.type(f"{PASSWORD}\r")
    terminal.type(f"{PASSWORD}\r")
    terminal.wait_for("The new password is set.")
    terminal.press("enter")
    leave_for_the_prompt(terminal)
    log_in(here, PASSWORD)
    terminal.wait_for(CONTENT, 120)
    assert sorted(consoles_of(node)) == ["admin", "virtnode-console"]
    terminal.press("q")
    sees_the_console_again(here)
    leave_for_the_prompt(terminal)
    assert consoles_of(node) == ["virtnode-console"]
    terminal.press("ctrl+d")
    sees_the_console_again(here)


def leave_for_the_prompt(terminal: Terminal) -> None:
    """Find the action by its name, and say yes."""
    terminal.press("ctrl+p")
    terminal.wait_for("Find an action")
    terminal.press(*"log in", "enter")
    terminal.wait_for("Leave the console for a login prompt?")
    terminal.clear()
    terminal.press("right", "enter")
    terminal.wait_for(PROMPT)


def sees_the_console_again(here: Desk) -> None:
    """Wait until the line has its own console, beside the screen's."""
    both = ["virtnode-console"] * 2
    wait_until(lambda: consoles_of(here.node) == both, 120, "the line's own console")
    here.terminal.clear()
    wait_until(lambda: is_drawn(here.terminal), 120, "the console on the line")


def is_drawn(terminal: Terminal) -> bool:
    """Have it drawn anew, and tell whether it is."""
    terminal.press("ctrl+l")
    return CONTENT in terminal.text


def log_in(here: Desk, password: str) -> None:
    """Answer a prompt that is there."""
    wait_until(lambda: is_named(here.terminal), 60, "the account's name at the prompt")
    here.terminal.clear()
    here.terminal.press("enter")
    here.terminal.wait_for("Password:")
    here.terminal.clear()
    here.terminal.type(f"{password}\r")


def is_named(terminal: Terminal) -> bool:
    """Type the account's name, and tell whether it is there: a banner with news takes letters away."""
    terminal.press("ctrl+u", *"admin")
    return f"{PROMPT} admin" in terminal.text


def pane_of(terminal: Terminal) -> str:
    """Read what stands beside the menu as one text: a fingerprint takes two lines there."""
    return "".join(re.split("[│|]", line)[-1].strip() for line in terminal.text.splitlines())


def consoles_of(node: Guest) -> list[str]:
    """Name the user of each console that runs; what starts it on a line is root's."""
    users = node.try_run("ps -o user:32= -C virtnode-console")[1].split()
    return [user for user in users if user != "root"]


def configure(node: Guest, lines: str) -> None:
    """Change the section `access` of the node's configuration, and keep it."""
    node.run(f"cat >/run/access.toml <<'END'\nversion = 1\n[access]\n{lines}\nEND\n")
    node.run("virtnodectl config apply /run/access.toml && virtnodectl config confirm")


def answers(port: int) -> bool:
    """Tell whether an SSH server greets."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 10) as client:
        client.settimeout(10)
        return client.recv(4) == b"SSH-"
    return False


def greets(terminal: Terminal) -> bool:
    """Press Enter, and tell whether the greeting is there."""
    terminal.press("enter")
    return GREETING in terminal.text


def fetch(url: str) -> bytes:
    """Take what is at an address."""
    with urllib.request.urlopen(url, timeout=60) as answer:
        found: bytes = answer.read()
    return found


def is_offered(url: str) -> bool:
    """Tell whether something is at an address."""
    try:
        fetch(url)
    except OSError:
        return False
    return True


def check_archive(data: bytes) -> None:
    """See that it is the archive of this node, and whole."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        files = {Path(member.name).name: member for member in archive.getmembers()}
        assert {"journal.txt", "status.json", "config.json", "units.txt"} <= set(files)
        status = archive.extractfile(files["status.json"])
        assert status is not None
        assert json.load(status)["addresses"] == ["enp0s5: 10.0.2.15/24"]
