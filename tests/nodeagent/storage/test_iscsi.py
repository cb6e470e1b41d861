"""iSCSI against a program that stands for iscsiadm: what it is told, what it is not, and its errors."""

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from nodeagent.dial import Endpoint
from nodeagent.storage.forms import check_chap, read_portal, read_target
from nodeagent.storage.iscsi import (
    ERRORS,
    discover,
    discover_argv,
    load_driver,
    login,
    logout,
    node_argv,
    read_targets,
    run_iscsiadm,
)
from nodeagent.storage.iscsi_records import find_records, with_chap
from nodelib.bus_storage import IscsiLoginRequest, IscsiLogoutRequest, IscsiTarget
from nodelib.errors import Code, InvalidInput, VirtnodeError
from nodelib.run import Result
from tests.nodeagent.storage.commands import FakeCommand

TARGET = "iqn.2001-04.com.example:storage.disk1"
PORTAL = Endpoint("192.0.2.9", 3260)
RECORD = (
    f"# BEGIN RECORD 2.1.8\nnode.name = {TARGET}\nnode.session.auth.authmethod = None\n"
    "node.startup = manual\n# END RECORD\n"
)
PASSWORD = "sesame-open-12"
LOGIN = IscsiLoginRequest(TARGET, "192.0.2.9", "node1", PASSWORD)


@pytest.fixture
def iscsiadm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCommand:
    """Put a program in iscsiadm's place, which keeps a record when it is told to."""
    command = FakeCommand(tmp_path / "bin", "iscsiadm")
    FakeCommand(tmp_path / "bin", "systemctl")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    command.on("new", files={str(record_of(tmp_path)): RECORD})
    return command


def record_of(root: Path) -> Path:
    """Name the record as iscsiadm does."""
    return root / "etc/iscsi/nodes" / TARGET / "192.0.2.9,3260"


def test_what_iscsiadm_is_told() -> None:
    """A list a deed; an IPv6 address stands in brackets."""
    assert discover_argv(Endpoint("2001:db8::1", 3261))[-1] == "[2001:db8::1]:3261"
    words = ["iscsiadm", "-m", "node", "-T", TARGET, "-p", "192.0.2.9:3260", "--login"]
    assert node_argv(TARGET, PORTAL, "--login") == words


def test_targets_of_a_portal_are_listed(iscsiadm: FakeCommand, tmp_path: Path) -> None:
    """One line a target and portal; what is no such line is passed over. The driver is there by then."""
    out = f"192.0.2.9:3260,1 {TARGET}\n[2001:db8::9]:3260,-1 {TARGET}\nodd\n192.0.2.9:3260,1 {TARGET}\n"
    iscsiadm.on("discovery", out=out)
    found = discover("192.0.2.9", tmp_path).targets
    assert found == (IscsiTarget(TARGET, "192.0.2.9:3260"), IscsiTarget(TARGET, "[2001:db8::9]:3260"))
    assert iscsiadm.calls == [["-m", "discovery", "-t", "sendtargets", "-p", "192.0.2.9:3260"]]
    assert "modprobe@iscsi_tcp.service" in (tmp_path / "bin/systemctl.d/calls").read_text()
    assert read_targets("") == ()


def test_a_password_is_in_the_record_and_nowhere_else(
    iscsiadm: FakeCommand, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The record is root's alone and has what CHAP needs; no argument and no log line has."""
    caplog.set_level(logging.DEBUG)
    login(LOGIN, tmp_path)
    record = record_of(tmp_path)
    assert record.stat().st_mode & 0o777 == 0o600
    text = record.read_text()
    assert "node.session.auth.authmethod = CHAP\n" in text
    assert f"node.session.auth.password = {PASSWORD}\n" in text
    assert text.startswith("# BEGIN RECORD")
    assert text.endswith("# END RECORD\n")
    assert text.count("authmethod") == 1
    assert [call[-1] for call in iscsiadm.calls] == ["new", "--login"]
    assert PASSWORD not in str(iscsiadm.calls)
    assert PASSWORD not in caplog.text
    assert [path.name for path in record.parent.iterdir()] == [record.name]


def test_a_password_that_does_not_serve_is_not_kept(iscsiadm: FakeCommand, tmp_path: Path) -> None:
    """After a login that failed the record is as it was."""
    iscsiadm.on("--login", status=24, errors="iscsiadm: initiator reported error (24 - authorization)\n")
    with pytest.raises(VirtnodeError, match="refused user and password") as caught:
        login(LOGIN, tmp_path)
    assert caught.value.code is Code.DENIED
    assert record_of(tmp_path).read_text() == RECORD


def test_records_of_a_discovery_are_used(iscsiadm: FakeCommand, tmp_path: Path) -> None:
    """Each interface has a file; a login without CHAP takes an older password out."""
    folder = tmp_path / "var/lib/iscsi/nodes" / TARGET / "192.0.2.9,3260,1"
    folder.mkdir(parents=True)
    for name in ("default", "iface0"):
        (folder / name).write_text(with_chap(RECORD, "old", "older-secret"))
    assert len(find_records(tmp_path, TARGET, PORTAL)) == 2
    assert find_records(tmp_path, TARGET, Endpoint("192.0.2.9", 326)) == ()
    login(IscsiLoginRequest(TARGET, "192.0.2.9:3260"), tmp_path)
    assert [call[-1] for call in iscsiadm.calls] == ["--login"]
    assert "older-secret" not in "".join(path.read_text() for path in folder.iterdir())


def test_the_driver_is_loaded_once(tmp_path: Path) -> None:
    """By systemd, for the agent may not; where it is there already nobody is asked."""
    systemctl = FakeCommand(tmp_path / "bin", "systemctl")

    def run_there(argv: Sequence[str], timeout: float) -> Result:
        return run_iscsiadm([str(tmp_path / "bin" / argv[0]), *argv[1:]], timeout)

    load_driver(tmp_path, run_there)
    assert systemctl.calls == [["start", "modprobe@iscsi_tcp.service"]]
    (tmp_path / "sys/module/iscsi_tcp").mkdir(parents=True)
    load_driver(tmp_path, run_there)
    assert len(systemctl.calls) == 1


def test_a_logout_forgets_the_record(iscsiadm: FakeCommand) -> None:
    """A target that this node is not logged in to is told from one it cannot leave."""
    request = IscsiLogoutRequest(TARGET, "192.0.2.9")
    logout(request)
    assert [call[-1] for call in iscsiadm.calls] == ["--logout", "delete"]
    iscsiadm.on("--logout", status=21)
    with pytest.raises(VirtnodeError, match="no session") as caught:
        logout(request)
    assert caught.value.code is Code.NOT_FOUND
    iscsiadm.on("--logout", status=10)
    with pytest.raises(VirtnodeError, match="status 10"):
        logout(request)


@pytest.mark.parametrize("status", [*ERRORS, 6])
def test_every_exit_status_is_a_sentence_and_a_hint(
    iscsiadm: FakeCommand, tmp_path: Path, status: int
) -> None:
    """What iscsiadm's numbers mean is said; a number that nobody knows is told as it is."""
    iscsiadm.on("discovery", status=status, errors="iscsiadm: odd\n")
    with pytest.raises(VirtnodeError) as caught:
        discover("192.0.2.9", tmp_path)
    assert caught.value.message.startswith("asking 192.0.2.9:3260: ")
    assert caught.value.hint


def test_an_image_without_iscsi_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program is missing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(VirtnodeError) as caught:
        discover("192.0.2.9", tmp_path)
    assert caught.value.code is Code.UNAVAILABLE


@pytest.mark.parametrize("text", ["", "-p", "a b", "x/y", "h:0", "h:99999", "a;b", "$(x)"])
def test_what_is_no_portal_is_refused(text: str) -> None:
    """Nothing of it reaches iscsiadm."""
    with pytest.raises(InvalidInput):
        read_portal(text)


@pytest.mark.parametrize(
    "text", [TARGET, "iqn.1998-01.com.vmware", "eui.0123456789ABCDEF", "naa." + "0" * 32, "naa." + "0" * 16]
)
def test_the_forms_of_targets(text: str) -> None:
    """The three that the standard knows."""
    assert read_target(f" {text} ") == text


@pytest.mark.parametrize(
    "text",
    ["", "disk1", "iqn.x", "iqn.2001-04.com/../x", "iqn.2001-04.a:b/c", "eui.1", f"{TARGET}{'x' * 222}"],
)
def test_what_is_no_target_is_refused(text: str) -> None:
    """A name that would lead out of the database is none."""
    with pytest.raises(InvalidInput):
        read_target(text)


@pytest.mark.parametrize("given", [("u", ""), ("", "p"), ("u\n", "p"), ("u", "p\nnode.x = 1"), ("u", "ö")])
def test_what_chap_cannot_take_is_refused(given: tuple[str, str]) -> None:
    """Neither half of it, nor a line of its own in the record; the password is not in the message."""
    with pytest.raises(InvalidInput) as caught:
        check_chap(*given)
    assert "node.x" not in caught.value.message
