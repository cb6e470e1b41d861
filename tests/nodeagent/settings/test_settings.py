"""Each kind of setting: the files that it writes."""

import shutil
from pathlib import Path

import pytest

from nodeagent.applier import Applier
from nodeagent.intent import AccessIntent, Intent, LoggingIntent, NtpIntent, StorageIntent, SystemIntent
from nodeagent.intent_sources import parse_node_toml
from nodeagent.settings.firewall import firewall_rules
from nodeagent.settings.initiator import SETTING as INITIATOR
from nodeagent.settings.keymap import SETTING as KEYMAP
from nodeagent.settings.ntp import servers_path
from nodeagent.settings.password import KEPT, has_password
from nodeagent.settings.password import SETTING as PASSWORD
from nodeagent.settings.setting import plan_setting
from nodeagent.settings.ssh import SETTING as SSH
from nodeagent.settings.syslog import SETTING as SYSLOG
from nodeagent.settings.syslog import forwarding_rules
from nodeagent.settings.table import SETTINGS
from nodeagent.tree_files import TreeFiles
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run
from tests.conftest import Golden
from tests.nodeagent.node_trees import FULL, HASH, NFTABLES, SSH_KEY, FakeServices, make_node, opening


@pytest.fixture
def tree(tmp_path: Path) -> TreeFiles:
    """Make a node's tree."""
    return TreeFiles(make_node(tmp_path))


def test_the_files_of_a_full_intent_are_as_they_were_reviewed(tree: TreeFiles, golden: Golden) -> None:
    """All that is written but for networkd's units, which have golden texts of their own."""
    applier = Applier(tree.root, "", FakeServices(), make_ticket=lambda: "ticket")
    applier.apply(parse_node_toml(FULL, "x"), 60, "test")
    changed = [
        change
        for setting in SETTINGS
        if setting.kind != "network"
        for change in plan_setting(setting, Intent(), tree)
        if not change.path.startswith("run/")
    ]
    text = "".join(f"# {change.path} {change.old.mode:o}\n{change.before}\n" for change in changed)
    golden("settings", text)


def settle(tree: TreeFiles, setting: object, intent: Intent) -> FakeServices:
    """Apply one kind of setting, and return what the services heard."""
    services = FakeServices()
    for one in SETTINGS:
        if one is setting:
            changes = tuple(plan_setting(one, intent, tree))
            for change in changes:
                tree.put(change.path, change.new)
            if changes:
                one.act(services, tree, changes)
            assert tuple(plan_setting(one, intent, tree)) == ()
    return services


def test_ssh_goes_off_and_on(tree: TreeFiles) -> None:
    """Off masks the server and stops it; on starts it; auto is as the image has it."""
    mask = tree.root / "etc/systemd/system/ssh.service"
    start = tree.root / "etc/systemd/system/multi-user.target.wants/ssh.service"
    assert settle(tree, SSH, Intent()).calls == []
    assert settle(tree, SSH, Intent(access=AccessIntent(ssh="off"))).calls == [
        "reload units",
        "stop ssh.service",
    ]
    assert str(mask.readlink()) == "/dev/null"
    assert settle(tree, SSH, Intent(access=AccessIntent(ssh="on"))).calls == [
        "reload units",
        "start ssh.service",
    ]
    assert (mask.exists(), start.resolve()) == (False, tree.root / "usr/lib/systemd/system/ssh.service")
    assert settle(tree, SSH, Intent()).calls == ["reload units", "restart ssh.service"]
    assert not start.is_symlink()


def test_keys_can_be_read_by_whoever_logs_in(tree: TreeFiles) -> None:
    """The server looks for them with that account's rights; new keys need no unit to be read again."""
    services = settle(tree, SSH, Intent(access=AccessIntent(ssh_keys=(SSH_KEY,))))
    assert services.calls == ["restart ssh.service"]
    assert (tree.root / "etc/virtnode/ssh_keys").stat().st_mode & 0o777 == 0o644


def test_an_image_that_starts_ssh_itself_needs_no_link_of_ours(tree: TreeFiles) -> None:
    """What the image links stays the image's."""
    start = tree.root / "etc/systemd/system/multi-user.target.wants/ssh.service"
    start.parent.mkdir(parents=True)
    start.symlink_to("/usr/lib/systemd/system/ssh.service")
    assert settle(tree, SSH, Intent(access=AccessIntent(ssh="on"))).calls == []
    assert settle(tree, SSH, Intent()).calls == []
    assert str(start.readlink()) == "/usr/lib/systemd/system/ssh.service"


def test_no_server_is_no_error(tree: TreeFiles) -> None:
    """An image without SSH is fine as long as nobody asks for it."""
    (tree.root / "usr/lib/systemd/system/ssh.service").unlink()
    assert settle(tree, SSH, Intent(access=AccessIntent(ssh="off", ssh_keys=(SSH_KEY,)))).calls == []


def test_syslog_stops_when_nobody_wants_it(tree: TreeFiles) -> None:
    """rsyslog costs nothing where there is no server."""
    settle(tree, SYSLOG, Intent(logging=LoggingIntent(syslog=("udp://logs",))))
    assert settle(tree, SYSLOG, Intent()).calls[-2:] == [
        "stop syslog.socket",
        "stop rsyslog.service",
    ]


def test_syslog_servers_have_their_port_and_protocol() -> None:
    """An address of IPv6 loses its brackets."""
    rules = forwarding_rules(["udp://logs", "tcp://[2001:db8::5]:6514"])
    assert 'target="logs" port="514" protocol="udp"' in rules
    assert 'target="2001:db8::5" port="6514" protocol="tcp"' in rules


def test_ports_are_opened_inside_the_table_of_the_image(golden: Golden) -> None:
    """The image's lines stay, no other table is touched, and all of it is one transaction."""
    golden("firewall.nft", firewall_rules(NFTABLES, ["8080/tcp", "6000-6010/udp"]))


@pytest.mark.integration
@pytest.mark.skipif(shutil.which("nft") is None, reason="nftables is not installed")
def test_nft_takes_the_rules_again_and_again(tmp_path: Path) -> None:
    """In a network of its own: whether the image's table is there or not, afterwards ours is, once."""
    (tmp_path / "image").write_text(NFTABLES)
    (tmp_path / "ours").write_text(firewall_rules(NFTABLES, ["8080/tcp", "6000-6010/udp", "9/sctp"]))
    script = (
        'nft -f "$1/ours" && nft -f "$1/image" && nft -f "$1/ours" && nft -f "$1/ours" && nft list ruleset'
    )
    listed = run(["unshare", "--net", "sh", "-c", script, "sh", tmp_path]).stdout
    assert [listed.count(f"dport {ports} accept") for ports in ("22", "8080", "6000-6010", "9")] == [
        1,
        1,
        1,
        1,
    ]


@pytest.mark.parametrize("text", ["", "flush ruleset\n", "table inet virtnode {\n}\n"])
def test_rules_that_are_not_ours_are_left_alone(text: str) -> None:
    """Nothing is opened in a table that nobody knows."""
    assert firewall_rules(text, ["80/tcp"]) == ""


def test_an_intent_that_opens_nothing_writes_no_rules(tree: TreeFiles) -> None:
    """The image's own script is what runs."""
    changes = [change for one in SETTINGS for change in plan_setting(one, opening(), tree)]
    assert changes == []


@pytest.mark.parametrize(
    ("name", "text", "path"),
    [
        ("etc/chrony/chrony.conf", "sourcedir /run/x\nsourcedir /etc/y\n", "etc/y/virtnode.sources"),
        ("etc/chrony/chrony.conf", "confdir /etc/c\nsourcedir /run/x\n", "etc/c/virtnode.conf"),
        (
            "etc/chrony/chrony.conf",
            "pool x\nsourcedir /run/chrony-dhcp\n",
            "run/chrony-dhcp/virtnode.sources",
        ),
        ("etc/chrony.conf", "confdir /etc/c\nsourcedir /etc/s\n", "etc/s/virtnode.sources"),
        ("etc/chrony.conf", "# sourcedir /etc/s\npool x\n", ""),
    ],
)
def test_time_servers_go_where_chrony_looks(tmp_path: Path, name: str, text: str, path: str) -> None:
    """chrony's own configuration says where that is; /etc is preferred."""
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text(text)
    assert servers_path(TreeFiles(tmp_path)) == path


def test_without_chrony_time_servers_are_not_written(tmp_path: Path) -> None:
    """The plan is empty; that it cannot be done is said elsewhere."""
    tree = TreeFiles(tmp_path)
    intent = Intent(ntp=NtpIntent(servers=("ntp",)))
    ntp = next(one for one in SETTINGS if one.kind == "ntp")
    assert tuple(plan_setting(ntp, intent, tree)) == ()
    assert len(tuple(ntp.missing(intent, tree))) == 1


def test_a_folder_in_a_files_place_is_named(tree: TreeFiles) -> None:
    """It is not removed with whatever is in it."""
    (tree.root / "etc/virtnode/ssh_keys").mkdir(parents=True)
    with pytest.raises(VirtnodeError) as caught:
        tuple(plan_setting(SSH, Intent(), tree))
    assert caught.value.code is Code.CONFLICT
    assert caught.value.message.startswith("/etc/virtnode/ssh_keys is neither")


def test_the_password_is_one_field_and_goes_again(tree: TreeFiles) -> None:
    """Other accounts' lines, mode and owner stay; without a password the image's field comes back."""
    shadow = tree.root / "etc/shadow"
    shadow.chmod(0o640)
    before = shadow.read_text()
    assert not has_password(tree)
    assert settle(tree, PASSWORD, Intent(access=AccessIntent(password=HASH))).calls == []
    assert shadow.read_text() == before.replace("admin:!*:", f"admin:{HASH}:")
    assert (shadow.stat().st_mode & 0o777, has_password(tree)) == (0o640, True)
    assert (tree.root / KEPT).stat().st_mode & 0o777 == 0o600
    settle(tree, PASSWORD, Intent(access=AccessIntent(password=HASH.replace("X3D", "X4D"))))
    settle(tree, PASSWORD, Intent())
    assert (shadow.read_text(), (tree.root / KEPT).exists()) == (before, False)


def test_a_password_is_in_no_change_that_is_told(tree: TreeFiles) -> None:
    """What a change says of itself goes into events; the file and its hash do not."""
    changes = tuple(plan_setting(PASSWORD, Intent(access=AccessIntent(password=HASH)), tree))
    told = "".join(change.text + change.before + change.after for change in changes)
    assert "admin:" not in told
    assert HASH not in told
    assert "(hidden)" in told


def test_a_password_needs_its_account(tree: TreeFiles) -> None:
    """An image without the account cannot have it, and says so."""
    (tree.root / "etc/shadow").write_text("root:*::0:99999:7:::\n")
    intent = Intent(access=AccessIntent(password=HASH))
    assert list(PASSWORD.missing(intent, tree)) == ["access.password: this image has no account admin"]
    assert settle(tree, PASSWORD, intent).calls == []


def test_a_keyboard_layout_is_loaded_and_goes_again(tree: TreeFiles) -> None:
    """The line in vconsole.conf is ours, the others stay, and a layout that is not there is named."""
    settings = tree.root / "etc/vconsole.conf"
    before = settings.read_text()
    chosen = Intent(system=SystemIntent(keymap="fr"))
    assert settle(tree, KEYMAP, chosen).calls == ["keymap fr"]
    assert settings.read_text() == "FONT=eurlatgr\nKEYMAP=fr\n"
    assert settle(tree, KEYMAP, Intent()).calls == ["keymap us"]
    assert settings.read_text() == before
    unknown = Intent(system=SystemIntent(keymap="xx"))
    assert settle(tree, KEYMAP, unknown).calls == []
    assert "keyboard layout xx" in "".join(KEYMAP.missing(unknown, tree))
    assert list(KEYMAP.missing(Intent(system=SystemIntent(keymap="us")), tree)) == []


def test_the_initiator_has_its_name_until_nobody_gives_one(tree: TreeFiles) -> None:
    """Where there is no iSCSI that is said, and nothing is written."""
    path = tree.root / "etc/iscsi/initiatorname.iscsi"
    named = Intent(storage=StorageIntent(initiator="iqn.2026-01.org.example:node1"))
    assert settle(tree, INITIATOR, named).calls == ["restart iscsid.service"]
    assert path.read_text() == "InitiatorName=iqn.2026-01.org.example:node1\n"
    settle(tree, INITIATOR, Intent())
    assert path.read_text() == "GenerateName=yes\n"
    (tree.root / "usr/lib/systemd/system/iscsid.service").unlink()
    assert list(INITIATOR.missing(named, tree)) == ["storage.initiator: this image has no iSCSI"]
    assert settle(tree, INITIATOR, named).calls == []


def test_automatic_ssh_leaves_word_for_when_the_agent_dies(tree: TreeFiles) -> None:
    """The server is named in a file that the agent's unit reads; whether it runs is decided elsewhere."""
    word = tree.root / "run/virtnode/ssh-automatic"
    assert settle(tree, SSH, Intent(access=AccessIntent(ssh="automatic"))).calls == ["restart ssh.service"]
    assert word.read_text() == "ssh.service\n"
    settle(tree, SSH, Intent())
    assert not word.exists()
