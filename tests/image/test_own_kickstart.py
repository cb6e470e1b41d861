"""What a user adds to the shipped kickstart by including it."""

import subprocess
import sys
from pathlib import Path

import pytest

from image.plan import CHECKOUT
from nodelib.run import run

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFw7ye8ZkzUSnTOr4SbO5yt5FkrYtHWgYYc2oUd3DGw2 a@example"
OWN = """\
%include {node}

sshkey --username=root "{key}"

%addon virtnode_image
drop-path /nowhere
%end

%post --erroronfail
echo ours > /etc/site.conf
%end
"""


@pytest.mark.integration
@pytest.mark.timeout(3600)
def test_a_script_may_add_files_and_a_rule_without_effect_is_told(node_cache: Path, tmp_path: Path) -> None:
    """A file of %post and a key are in the root; a path that is not there is named with its place."""
    kickstart = tmp_path / "own.ks"
    kickstart.write_text(OWN.format(node=CHECKOUT / "kickstarts/node-debian.ks", key=KEY))
    out = tmp_path / "out"
    argv = [
        sys.executable,
        "-m",
        "image.main",
        "build",
        str(kickstart),
        f"--out={out}",
        f"--cache={node_cache}",
    ]
    argv += ["--profile=dev", "--media=pxe"]
    built = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert [line for line in built.stderr.splitlines() if "warning" in line and "/nowhere" in line]
    rootfs = out / "pxe/rootfs.squashfs"
    assert run(["unsquashfs", "-cat", rootfs, "etc/site.conf"]).stdout == "ours\n"
    assert KEY in run(["unsquashfs", "-cat", rootfs, "root/.ssh/authorized_keys"]).stdout
