"""GRUB's menus and core images."""

from pathlib import Path

import pytest

from image.media.grub import CORE_MODULES, LIVE, SERIAL, live_entries, make_core_image, menu_text
from nodelib.errors import VirtnodeError
from tests.conftest import Golden
from tests.image.payloads import GRUB, need_grub


def test_the_menu_of_a_live_medium_is_as_reviewed(golden: Golden) -> None:
    """Start, serial console, installation and rescue, in that order."""
    entries = live_entries("virtnode 0.1.0", "live:CDLABEL=X", ["quiet"])
    golden("media/iso-grub.cfg", menu_text(entries, timeout=5, folder="/boot"))


def test_every_entry_starts_the_node_alike() -> None:
    """All have the root, the overlay and the kickstart's own arguments; identifiers are unique."""
    entries = live_entries("T", "live:CDLABEL=X", ["extra=1"])
    for entry in entries:
        assert entry.arguments[: len(LIVE) + 2] == ("root=live:CDLABEL=X", *LIVE, "extra=1")
        assert set(SERIAL) <= set(entry.arguments)
    assert len({entry.name for entry in entries}) == len(entries)


def test_the_last_console_is_the_main_one() -> None:
    """The kernel gives /dev/console to the last that is named."""
    by_name = {entry.name: entry for entry in live_entries("T", "live:X", [])}
    consoles = [word for word in by_name["start"].arguments if word.startswith("console=")]
    assert consoles[-1] == "console=tty0"
    consoles = [word for word in by_name["serial"].arguments if word.startswith("console=")]
    assert consoles[-1] == "console=ttyS0,115200n8"


@pytest.mark.parametrize("target", ["i386-pc", "i386-pc-eltorito"])
def test_a_core_image_has_its_commands(target: str, tmp_path: Path) -> None:
    """Grub-mkimage accepts every module named, and the script is gone again."""
    need_grub()
    output = tmp_path / "core.img"
    make_core_image(GRUB, target, "/boot/grub", "search --label X\n", output)
    assert output.stat().st_size > 20_000
    assert [path.name for path in tmp_path.iterdir()] == ["core.img"]


def test_every_module_of_the_core_is_there() -> None:
    """No module is named that GRUB does not have."""
    need_grub()
    assert [name for name in CORE_MODULES if not (GRUB / f"{name}.mod").exists()] == []


def test_missing_modules_are_told(tmp_path: Path) -> None:
    """An empty folder of modules is an error with the tool's words."""
    with pytest.raises(VirtnodeError, match="grub-mkimage ended with status 1"):
        make_core_image(tmp_path, "i386-pc", "/boot/grub", "", tmp_path / "core.img")
