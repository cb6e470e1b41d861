"""The kernel arguments that an installed node gets."""

import pytest

from nodeagent.install.command_line import LIVE, installed_arguments, merged_arguments, shown_arguments


@pytest.mark.parametrize(
    ("cmdline", "from_network", "kept"),
    [
        ("BOOT_IMAGE=/boot/vmlinuz root=live:CDLABEL=X rd.live.image quiet", False, ("quiet",)),
        ("console=ttyS0 console=tty0 node.install=smallest", False, ("console=ttyS0", "console=tty0")),
        ("ip=dhcp rd.neednet=1 initrd=initrd.img vlan=eth0.5:eth0", True, ("vlan=eth0.5:eth0",)),
        ("ip=dhcp intel_iommu=on", False, ("ip=dhcp", "intel_iommu=on")),
        ("node.token=secret node.engine=e node.ca=sha256:aa node.config=http://x/", False, ("node.config=http://x/",)),
        ("node.config=http://x/${mac}.toml?a=${uuid}&b", False, ("node.config=http://x/${mac}.toml?a=${uuid}&b",)),
        ("a=$(reboot) b=`x` c='d;e' d=${x} ${macro} fine", False, ("fine",)),
        ("systemd.unit=rescue.target systemd.setenv=X=1 node.stateless node.state=old", False, ()),
    ],
)  # fmt: skip
def test_what_is_the_mediums_own_stays_behind(
    cmdline: str, from_network: bool, kept: tuple[str, ...]
) -> None:
    """The rest goes with the system, consoles above all; nothing that a menu would take for its own."""
    assert installed_arguments(cmdline, "U-1", "U-2", from_network=from_network) == (
        "root=live:PARTUUID=u-1",
        *LIVE,
        "node.state=u-2",
        *kept,
    )


@pytest.mark.parametrize(
    ("kept", "medium", "merged"),
    [
        ("quiet node.config=http://x/", "quiet", "quiet node.config=http://x/"),
        ("ip=10.0.0.2::10.0.0.1:24 quiet", "quiet loglevel=3", "ip=10.0.0.2::10.0.0.1:24 quiet loglevel=3"),
        ("loglevel=7 quiet", "loglevel=3", "quiet loglevel=3"),
        ("loglevel=3 loglevel=7", "loglevel=3", "loglevel=3 loglevel=7"),
        ("ip=a:eth0 quiet", "ip=a:eth0 ip=b:eth1", "quiet ip=a:eth0 ip=b:eth1"),
        (
            "console=ttyS0,115200n8 console=tty0 console=ttyS1",
            "console=tty0 console=ttyS0,115200n8",
            "console=ttyS0,115200n8 console=tty0 console=ttyS1",
        ),
        ("console=ttyS0 console=tty0", "console=ttyS1", "console=ttyS0 console=tty0 console=ttyS1"),
        (
            "root=live:PARTLABEL=virtnode-a rd.live.image node.state=old node.engine=e node.token=t",
            "",
            "node.engine=e node.token=t",
        ),
    ],
)  # fmt: skip
def test_a_node_that_is_kept_keeps_its_arguments(kept: str, medium: str, merged: str) -> None:
    """A medium's come to them and win over the same name; a console is one more."""
    assert merged_arguments(kept.split(), medium.split()) == tuple(merged.split())
    given = installed_arguments(medium, "U-1", "U-2", from_network=False, kept=kept.split())
    assert given == ("root=live:PARTUUID=u-1", *LIVE, "node.state=u-2", *merged.split())


def test_a_plan_shows_no_token() -> None:
    """It is on the boot partition of an image that was customised so, and nowhere else."""
    assert shown_arguments(("node.token=secret", "a"), ()) == ("node.token=(hidden)", "a")
    url = ("node.config=https://site:secret@boot.example.org/a.toml",)
    assert shown_arguments(url, ()) == ("node.config=https://boot.example.org/a.toml(hidden)",)
