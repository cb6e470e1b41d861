"""Settings laid over a root: each file as it is written, and what needs a node's own tools."""

import dataclasses
import os
from pathlib import Path

import pytest

from image.chroot import run_in_root
from image.config import Firewall, Group, ImageConfig, Network, Selinux, SshKey, User
from image.configure import (
    OVERLAY,
    add_accounts,
    check_locale,
    choose_services,
    clean_root,
    configure_root,
    useradd_argv,
    write_locale,
    write_names,
    write_network,
    write_selinux,
    write_ssh_keys,
    write_text,
)
from nodelib.errors import Code, InvalidInput, VirtnodeError
from nodelib.run import run
from tests.image.trees import list_tree, make_tree

CONFIG = ImageConfig(source=Path("node.ks"), base="debian")
KEY = "ssh-ed25519 AAAA ann@example.invalid"
HASH = "$6$salt$hash"


def test_a_file_is_never_written_through_a_link(tmp_path: Path) -> None:
    """A link in the root may point to the host's own file."""
    host = tmp_path / "host"
    host.write_text("host's")
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/conf").symlink_to(host)
    write_text(tmp_path / "root/etc/conf", "ours", 0o600)
    assert host.read_text() == "host's"
    assert (tmp_path / "root/etc/conf").stat().st_mode & 0o777 == 0o600


def test_language_keyboard_and_time_are_written(tmp_path: Path) -> None:
    """Each setting is where systemd and the distributions read it."""
    config = dataclasses.replace(
        CONFIG,
        language="cs_CZ.UTF-8",
        keyboard="cz",
        timezone="Europe/Prague",
        utc_clock=False,
        ntp_servers=("ntp.example.invalid",),
    )
    write_locale(config, make_tree(tmp_path, {"etc/chrony/": ""}))
    etc = tmp_path / "etc"
    assert (etc / "locale.conf").read_text() == "LANG=cs_CZ.UTF-8\n"
    assert (etc / "vconsole.conf").read_text() == "KEYMAP=cz\n"
    assert str((etc / "localtime").readlink()) == "../usr/share/zoneinfo/Europe/Prague"
    assert (etc / "adjtime").read_text().splitlines()[2] == "LOCAL"
    assert (etc / "chrony/sources.d/kickstart.sources").read_text() == "server ntp.example.invalid iburst\n"


def test_a_node_without_a_name_leaves_it_to_dhcp(tmp_path: Path) -> None:
    """`localhost` is what systemd lets the network replace."""
    write_names(CONFIG, tmp_path)
    assert (tmp_path / "etc/hostname").read_text() == "localhost\n"
    write_names(dataclasses.replace(CONFIG, hostname="node1"), tmp_path)
    assert (tmp_path / "etc/hostname").read_text() == "node1\n"


def test_an_account_has_what_the_kickstart_says() -> None:
    """Only what is said becomes an option; the password goes elsewhere."""
    user = User("ann", HASH, 1000, 0, "Ann, first", "/home/a", "/bin/sh", ("wheel", "kvm"))
    assert useradd_argv(user) == [
        *("useradd", "--create-home", "--uid", "1000", "--gid", "0", "--comment", "Ann, first"),
        *("--home-dir", "/home/a", "--shell", "/bin/sh", "--groups", "wheel,kvm", "ann"),
    ]
    assert useradd_argv(User("ben")) == ["useradd", "--create-home", "--shell", "/bin/bash", "ben"]


def test_keys_belong_to_their_user_alone(tmp_path: Path) -> None:
    """All keys of a user stand in one file that only the user reads."""
    owner = f"{os.getuid()}:{os.getgid()}"
    root = make_tree(tmp_path, {"etc/passwd": f"ann:x:{owner}:Ann:/home/ann:/bin/sh\n", "home/ann/": ""})
    write_ssh_keys((SshKey("ann", KEY), SshKey("ann", f"{KEY}2")), root)
    authorized = root / "home/ann/.ssh/authorized_keys"
    assert authorized.read_text() == f"{KEY}\n{KEY}2\n"
    assert authorized.stat().st_mode & 0o777 == 0o600
    assert authorized.parent.stat().st_mode & 0o777 == 0o700


def test_a_key_for_nobody_is_told(tmp_path: Path) -> None:
    """The error names the user and the command to add."""
    root = make_tree(tmp_path, {"etc/passwd": "root:x:0:0::/root:/bin/sh\n"})
    with pytest.raises(VirtnodeError, match="the user eve, who does not exist") as caught:
        write_ssh_keys((SshKey("eve", KEY),), root)
    assert caught.value.code is Code.INVALID


def test_networks_become_units(tmp_path: Path) -> None:
    """Units lie where networkd reads them, and names are resolved by resolved."""
    root = make_tree(tmp_path, {"etc/resolv.conf": "nameserver 192.0.2.1\n"})
    write_network(dataclasses.replace(CONFIG, networks=(Network("eth0"),)), root)
    assert (root / "etc/systemd/network/50-eth0.network").exists()
    assert (root / "etc/resolv.conf").is_symlink()


def test_selinux_is_set_where_there_is_a_policy(tmp_path: Path) -> None:
    """Debian has none, and gets no file."""
    write_selinux(Selinux.PERMISSIVE, tmp_path)
    assert list_tree(tmp_path) == set()
    make_tree(tmp_path, {"etc/selinux/targeted/": ""})
    write_selinux(Selinux.PERMISSIVE, tmp_path)
    assert "SELINUX=permissive\n" in (tmp_path / "etc/selinux/config").read_text()


DIRTY = {
    "etc/shadow": "root:!*:20779:0:99999:7:::\nann:$6$x:20000::::::\n",
    "etc/shadow-": "old",
    "etc/machine-id": "0123",
    "etc/ssh/ssh_host_ed25519_key": "secret",
    "etc/ssh/sshd_config": "kept",
    "var/log/apt/history.log": "log",
    "var/cache/apt/pkgcache.bin": "cache",
    "tmp/left": "x",
    "run/x": "x",
    "usr/bin/tool": "kept",
    "var/log/link": "->/etc/passwd",
}


def test_what_belongs_to_one_machine_goes(tmp_path: Path) -> None:
    """Keys, logs, caches, identifiers and old copies go; the rest stays."""
    root = make_tree(tmp_path, DIRTY)
    clean_root(root)
    assert list_tree(root) == {"/etc/shadow", "/etc/machine-id", "/etc/ssh/sshd_config", "/usr/bin/tool"}
    assert (root / "etc/machine-id").read_text() == ""


def test_the_day_of_the_build_does_not_show(tmp_path: Path) -> None:
    """No account says when its password was set; everything else of it stays, the file's mode included."""
    root = make_tree(tmp_path, DIRTY)
    (root / "etc/shadow").chmod(0o640)
    clean_root(root)
    assert (root / "etc/shadow").read_text() == "root:!*::0:99999:7:::\nann:$6$x:::::::\n"
    assert (root / "etc/shadow").stat().st_mode & 0o777 == 0o640


@pytest.fixture(scope="module")
def root(node_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy a real installed root once for this file."""
    copy = tmp_path_factory.mktemp("configured") / "root"
    run(["cp", "--archive", "--reflink=auto", node_tree, copy])
    return copy


@pytest.mark.integration
def test_a_real_root_takes_every_setting(root: Path) -> None:
    """Accounts, keys, firewall and services, with the node's own tools."""
    config = dataclasses.replace(
        CONFIG,
        groups=(Group("operators", 2000),),
        users=(User("ann", HASH, 1500, groups=("operators",)),),
        ssh_keys=(SshKey("ann", KEY), SshKey("root", KEY)),
        firewall=Firewall(enabled=False),
        services_disabled=("multipathd",),
    )
    configure_root(config, root)
    shadow = dict(line.split(":")[:2] for line in (root / "etc/shadow").read_text().splitlines())
    assert (shadow["ann"], shadow["root"]) == (HASH, "!*")
    assert run_in_root(root, ["id", "-nG", "ann"]).stdout.split() == ["ann", "operators"]
    assert (root / "home/ann/.ssh/authorized_keys").stat().st_uid == 1500
    wants = root / "etc/systemd/system"
    enabled = {path.name for path in wants.glob("*.wants/*")}
    assert "systemd-networkd.service" in enabled
    assert not enabled & {"nftables.service", "multipathd.service"}
    for path in OVERLAY.rglob("*"):
        if path.is_file():
            assert (root / path.relative_to(OVERLAY)).read_bytes() == path.read_bytes()


@pytest.mark.integration
def test_only_what_presets_name_is_enabled(root: Path) -> None:
    """Packages enable nothing by themselves; the kickstart's word comes first."""
    choose_services(dataclasses.replace(CONFIG, services_enabled=("multipathd",)), root)
    enabled = {path.name for path in (root / "etc/systemd/system").glob("*.wants/*")}
    assert {"multipathd.service", "nftables.service"} <= enabled
    assert "apt-daily.timer" not in enabled
    target = (root / "etc/systemd/system/default.target").readlink()
    assert target.name == "multi-user.target"


@pytest.mark.integration
def test_an_account_that_cannot_be_made_is_told(root: Path) -> None:
    """The error names the account and has the tool's words."""
    for users, message in (
        ((User("bob", groups=("no-such-group",)),), "user bob: .*no-such-group"),
        ((User("root"),), "user root: .*already exists"),
    ):
        with pytest.raises(VirtnodeError, match=message) as caught:
            add_accounts((), users, "", root)
        assert caught.value.code is Code.INVALID


def test_a_layout_or_zone_that_no_package_has_is_told(tmp_path: Path) -> None:
    """A keyboard that silently stays American is found by whoever cannot type a password."""
    config = dataclasses.replace(CONFIG, keyboard="cz", timezone="Europe/Prague")
    with pytest.raises(InvalidInput) as caught:
        check_locale(config, tmp_path)
    assert len(caught.value.problems) == 2
    assert "console-data" in caught.value.problems[0]
    make_tree(
        tmp_path, {"usr/share/keymaps/i386/qwertz/cz.kmap.gz": "", "usr/share/zoneinfo/Europe/Prague": ""}
    )
    check_locale(config, tmp_path)


def test_the_defaults_need_no_file(tmp_path: Path) -> None:
    """The kernel's own layout and UTC are always there."""
    check_locale(CONFIG, tmp_path)


def test_chrony_reads_further_servers_on_fedora_too(tmp_path: Path) -> None:
    """Its own file names no folder below /etc; ours does, once."""
    make_tree(tmp_path, {"etc/chrony.conf": "pool example.invalid iburst\nsourcedir /run/chrony-dhcp\n"})
    config = dataclasses.replace(CONFIG, ntp_servers=("ntp.example.invalid",))
    for _ in range(2):
        write_locale(config, tmp_path)
    assert (tmp_path / "etc/chrony.conf").read_text().count("\nsourcedir /etc/chrony.d\n") == 1
    assert (tmp_path / "etc/chrony.d/kickstart.sources").read_text() == "server ntp.example.invalid iburst\n"
