"""The kernel arguments that an installed node gets."""

import pytest

from nodeagent.install.command_line import LIVE, installed_arguments


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
