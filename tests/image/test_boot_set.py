"""What a node installs to disks, as its root has it."""

import dataclasses
import hashlib
from pathlib import Path

from image.boot_set import PLACE, install_boot_set, install_defaults, install_keys
from image.config import ImageConfig, Partition, PublicKey
from image.media.grub import installed_entry
from nodeagent.install.boot_files import HOME, KERNEL, SUMS, read_sums
from nodeagent.intent import VERSION, InstallIntent
from nodeagent.intent_sources import load_intent
from nodelib.run import run
from nodelib.update_bundle import TRUSTED_KEYS
from tests.image.payloads import LABEL, make_payload, need_grub


def test_the_root_knows_what_starts_it(tmp_path: Path) -> None:
    """GRUB for BIOS is in it, and a sum of each file is where a node looks."""
    need_grub()
    payload, root = make_payload(tmp_path / "payload"), tmp_path / "root"
    install_boot_set(root, payload.boot, {KERNEL: payload.kernel})
    assert (root / PLACE).is_dir()
    assert PLACE == HOME
    sums = read_sums(root)
    assert sums[KERNEL] == hashlib.sha256(payload.kernel.read_bytes()).hexdigest()
    assert sums["grubx64.efi"] == hashlib.sha256(payload.boot.grub_removable.read_bytes()).hexdigest()
    assert set(sums) == {KERNEL, "shimx64.efi", "grubx64.efi", "boot.img", "core.img"}
    assert (root / SUMS).stat().st_mode & 0o777 == 0o644
    assert (root / HOME / "core.img").stat().st_size > 50_000


def test_the_medium_starts_the_disk_that_it_installed(tmp_path: Path) -> None:
    """Its menu looks for the marker of its own build, in words that GRUB understands."""
    text = installed_entry(LABEL)
    assert "--file --set=installed /virtnode/done/0123abcd" in text
    script = tmp_path / "grub.cfg"
    script.write_text(text)
    run(["grub-script-check", script])


def test_what_the_kickstart_says_is_the_installers(tmp_path: Path) -> None:
    """Sizes as far as it takes them, the disk, and what goes there; the rest stays as it is by default."""
    (tmp_path / "usr/lib/virtnode").mkdir(parents=True)
    plain = ImageConfig(source=Path("node.ks"), base="debian")
    install_defaults(tmp_path, plain)
    assert load_intent(tmp_path, "").document == {"version": VERSION}
    partitions = (Partition("/", 2048), Partition("/boot/efi", 64))
    config = dataclasses.replace(
        plain,
        partitions=partitions,
        thin_pool=True,
        install_disk="/dev/sda",
        install_erases=True,
        install_ends="poweroff",
    )
    install_defaults(tmp_path, config)
    loaded = load_intent(tmp_path, "")
    assert loaded.problems == ()
    assert loaded.intent.install == InstallIntent(
        rule="/dev/sda", wipe=("contents",), esp=128, slot=2048, thin=True, after="poweroff"
    )


def test_update_keys_are_where_nodes_look_for_them(tmp_path: Path) -> None:
    """Each in a file of its name that everybody may read; without any there is no folder."""
    (tmp_path / "usr/lib/virtnode").mkdir(parents=True)
    install_keys(tmp_path, TRUSTED_KEYS, ())
    assert not (tmp_path / TRUSTED_KEYS).exists()
    install_keys(
        tmp_path, TRUSTED_KEYS, [PublicKey("site", "12", "PEM\n"), PublicKey("next", "34", "PEM 2\n")]
    )
    found = sorted((tmp_path / TRUSTED_KEYS).iterdir())
    assert {path.name: path.read_text() for path in found} == {"next.pem": "PEM 2\n", "site.pem": "PEM\n"}
    assert {path.stat().st_mode & 0o777 for path in found} == {0o644}
