"""The initramfs: dracut's command line, and what an archive is found to hold."""

import shutil
import subprocess
from pathlib import Path

import pytest

from image.initramfs import DRACUT_MODULES, LOCAL, NETWORK, dracut_argv, list_drivers
from image.media.areas import pack_archive
from nodeagent.boot_config import INITRAMFS_AREA
from nodelib.config_area import ConfigArea, parse_area


@pytest.mark.parametrize("modules", [LOCAL, NETWORK])
def test_the_command_line_is_generic_and_repeatable(modules: tuple[str, ...]) -> None:
    """Nothing of this host goes in, and nothing of the hour."""
    argv = dracut_argv("6.12.1", "/run/out/initrd", modules)
    assert argv[0] == "dracut"
    assert argv[-3:] == ["--kver", "6.12.1", "/run/out/initrd"]
    assert {"--no-hostonly", "--reproducible", "--no-compress", "--no-early-microcode"} <= set(argv)
    added = argv[argv.index("--add") + 1].split()
    omitted = argv[argv.index("--omit") + 1].split()
    assert added == list(modules)
    assert not set(added) & set(omitted)
    assert len(set(omitted)) == len(omitted)


def test_the_network_is_in_one_archive_only() -> None:
    """What boots from a disk needs no network in its initramfs."""
    assert set(LOCAL) < set(NETWORK)
    assert "livenet" in NETWORK
    assert (
        "livenet" in dracut_argv("6", "/o", LOCAL)[dracut_argv("6", "/o", LOCAL).index("--omit") + 1].split()
    )


def test_our_dracut_modules_can_run() -> None:
    """Each of our own modules has a setup, and its scripts are programs."""
    folders = [path for path in DRACUT_MODULES.iterdir() if path.is_dir()]
    assert {folder.name.lstrip("0123456789") for folder in folders} <= set(LOCAL) | set(NETWORK)
    for folder in folders:
        assert (folder / "module-setup.sh").exists()
        for script in folder.glob("*.sh"):
            subprocess.run(["sh", "-n", script], check=True)


@pytest.mark.integration
@pytest.mark.skipif(shutil.which("busybox") is None, reason="busybox is not installed")
def test_the_area_of_a_pxe_folder_outlives_the_initramfs(tmp_path: Path) -> None:
    """What the kernel unpacked beside the initramfs is where the node looks for it, for root alone."""
    (tmp_path / "bin").mkdir()
    for name in ("sh", "cp", "mkdir"):
        shutil.copyfile(str(shutil.which("busybox")), tmp_path / "bin" / name)
        (tmp_path / "bin" / name).chmod(0o755)
    shutil.copyfile(DRACUT_MODULES / "91virtnode/keep-config.sh", tmp_path / "hook.sh")
    hook = ["chroot", str(tmp_path), "/bin/sh", "/hook.sh"]
    subprocess.run(hook, check=True)
    assert not (tmp_path / "run").exists()
    (tmp_path / "archive").write_bytes(pack_archive(ConfigArea(b"version = 1\n"), 0))
    with (tmp_path / "archive").open("rb") as archive:
        argv = ["cpio", "--extract", "--make-directories", "--quiet"]
        subprocess.run(argv, stdin=archive, cwd=tmp_path, check=True)
    subprocess.run(hook, check=True)
    kept = tmp_path / INITRAMFS_AREA
    assert parse_area(kept.read_bytes()).payload == b"version = 1\n"
    assert kept.stat().st_mode & 0o777 == 0o600


def test_an_archives_drivers_are_listed(tmp_path: Path) -> None:
    """Paths begin with kernel/, whatever the kernel's version; other files are none."""
    names = [
        "usr/lib/modules/6.12.1/kernel/fs/squashfs/squashfs.ko.xz",
        "usr/lib/modules/6.12.1/kernel/drivers/net/virtio_net.ko",
        "usr/lib/modules/6.12.1/modules.dep",
        "usr/bin/sh",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    archive = subprocess.run(
        ["cpio", "--quiet", "-o", "-H", "newc"],
        input="\n".join(names).encode(),
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    (tmp_path / "initrd").write_bytes(archive.stdout)
    assert list_drivers(tmp_path / "initrd") == {
        "kernel/fs/squashfs/squashfs.ko.xz",
        "kernel/drivers/net/virtio_net.ko",
    }


@pytest.mark.integration
def test_the_nodes_dracut_knows_every_module(node_tree: Path) -> None:
    """No module is asked for that the distribution's dracut does not have."""
    known = {path.name[2:] for path in (node_tree / "usr/lib/dracut/modules.d").iterdir()}
    known |= {path.name[2:] for path in DRACUT_MODULES.iterdir()}
    assert set(NETWORK) - known == set()
