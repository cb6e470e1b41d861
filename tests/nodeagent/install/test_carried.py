"""What a medium said of a node is in force on the disk, too, by the same sources as before."""

import shutil
from pathlib import Path

import pytest

from nodeagent.backoff import Backoff
from nodeagent.boot_config import INSTALLED, ISO_AREA, MEDIUM_DEVICE, collect_sources
from nodeagent.config_source import ConfigSource
from nodeagent.config_url import LEASES, Marks
from nodeagent.factory_reset import ask_for_reset, finish_reset
from nodeagent.install.command_line import installed_arguments
from nodeagent.install.preparation import STATE_FOLDER, gather_state
from nodeagent.intent import LoadedIntent
from nodeagent.intent_sources import (
    CONFIG_URL,
    EMBEDDED,
    FETCHED,
    MEDIUM,
    fetched_mark,
    find_asked,
    load_intent,
)
from nodelib.config_area import ConfigArea, pack_area
from tests.nodeagent.machines import make_machine
from tests.nodeagent.test_boot_config import Mounts, folder

EMBEDDED_TEXT = """\
version = 2
ask = ["system.timezone"]
[system]
hostname = "embedded"
timezone = "UTC"
[engine]
address = "engine.example.org"
token = "vnt_embedded"
"""
STICK_TEXT = 'version = 2\n[system]\nhostname = "stick"\n'
URL = "http://127.0.0.1:1/${mac}.toml"
"""Nobody answers there: what was fetched before must do."""
FETCHED_TEXT = f'{fetched_mark(URL)}\nversion = 2\n[system]\nhostname = "fetched"\n'


def medium(tmp_path: Path, cmdline: str = "root=live:CDLABEL=X quiet") -> tuple[Path, Mounts]:
    """Start a machine from a customised ISO, with a stick beside it."""
    root = make_machine(tmp_path / "medium", {"proc/cmdline": cmdline, MEDIUM_DEVICE: ""})
    area = root / ISO_AREA
    area.parent.mkdir(parents=True)
    area.write_bytes(pack_area(ConfigArea(EMBEDDED_TEXT.encode())))
    mounts = Mounts({MEDIUM_DEVICE: folder(tmp_path / "stick", {"node.toml": STICK_TEXT.encode()})})
    assert collect_sources(root, mounts).problems == ()
    return root, mounts


def first_start(tmp_path: Path, root: Path) -> tuple[Path, str]:
    """Install what runs below `root`, take the media away, and start the disk."""
    cmdline = (root / "proc/cmdline").read_text()
    gather_state(root, cmdline, tmp_path / "gathered")
    arguments = " ".join(installed_arguments(cmdline, "U-1", "U-2", from_network=False))
    disk = make_machine(tmp_path / "disk", {"proc/cmdline": arguments})
    (disk / STATE_FOLDER).parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(tmp_path / "gathered", disk / STATE_FOLDER, dirs_exist_ok=True)
    assert collect_sources(disk, Mounts()).problems == ()
    return disk, arguments


def in_force(loaded: LoadedIntent) -> tuple[object, object, tuple[str, ...], tuple[str, ...]]:
    """Say what an intent is, where each key comes from, what is asked, and what is wrong."""
    return loaded.document, loaded.origins, find_asked(loaded), loaded.problems


def test_area_and_stick_are_in_force_on_the_disk(tmp_path: Path) -> None:
    """Key by key from the same sources, so that what a person shall be asked for is still asked."""
    root, _ = medium(tmp_path)
    before = load_intent(root, (root / "proc/cmdline").read_text())
    disk, arguments = first_start(tmp_path, root)
    after = load_intent(disk, arguments)
    assert in_force(after) == in_force(before)
    assert after.intent.system.hostname == "stick"
    assert after.origins["engine.token"] == f"/{EMBEDDED}"
    assert find_asked(after) == ("system.timezone",)


def test_only_root_reads_them(tmp_path: Path) -> None:
    """A join token is among them: folder and files are closed, and it is in no kernel argument."""
    root, _ = medium(tmp_path)
    disk, arguments = first_start(tmp_path, root)
    assert (tmp_path / "gathered/installed").stat().st_mode & 0o777 == 0o700
    for name in ("embedded.toml", "medium.toml"):
        assert (tmp_path / "gathered/installed" / name).stat().st_mode & 0o777 == 0o600
    assert "vnt_" not in arguments
    assert (disk / EMBEDDED).stat().st_mode & 0o777 == 0o600


def test_another_stick_takes_the_place_of_the_first(tmp_path: Path) -> None:
    """As it does on the medium; what is embedded stays."""
    root, _ = medium(tmp_path)
    disk, arguments = first_start(tmp_path, root)
    (disk / MEDIUM_DEVICE).parent.mkdir(parents=True, exist_ok=True)
    (disk / MEDIUM_DEVICE).touch()
    stick = folder(tmp_path / "other", {"node.toml": b'version = 2\n[system]\nhostname = "other"\n'})
    report = collect_sources(disk, Mounts({MEDIUM_DEVICE: stick}))
    assert report.lines == (
        "configuration: embedded in the boot medium: used, as this node was installed with it",
        "configuration: a medium labelled VIRTNODE: used",
    )
    loaded = load_intent(disk, arguments)
    assert (loaded.intent.system.hostname, loaded.intent.engine.address) == ("other", "engine.example.org")


def test_what_another_installation_left_does_not_come_along(tmp_path: Path) -> None:
    """A medium that says nothing now replaces what one said before."""
    root = make_machine(
        tmp_path / "medium", {"proc/cmdline": "quiet", f"{INSTALLED}/medium.toml": STICK_TEXT}
    )
    assert not (root / MEDIUM).exists()
    disk, _ = first_start(tmp_path, root)
    assert not (disk / MEDIUM).exists()


def test_a_reset_leaves_the_node_as_it_was_installed(tmp_path: Path) -> None:
    """What was decided on it goes; what it came with stays, or nobody could reach it any more."""
    root, _ = medium(tmp_path)
    disk, arguments = first_start(tmp_path, root)
    (disk / STATE_FOLDER / "node.toml").write_text('version = 2\n[system]\nhostname = "decided"\n')
    ask_for_reset(disk)
    assert finish_reset(disk / STATE_FOLDER)
    collect_sources(disk, Mounts())
    assert load_intent(disk, arguments).intent.system.hostname == "stick"


def test_what_was_fetched_is_in_force_on_the_disk(tmp_path: Path) -> None:
    """The URL with its marks is among the arguments of the disk, and its document in the state."""
    root = make_machine(
        tmp_path / "medium", {"proc/cmdline": f"node.config={URL} quiet", FETCHED: FETCHED_TEXT}
    )
    disk, arguments = first_start(tmp_path, root)
    assert f"node.config={URL}" in arguments
    assert load_intent(disk, arguments).intent.system.hostname == "fetched"


def test_what_a_dhcp_server_named_is_in_force_on_the_disk(tmp_path: Path) -> None:
    """The URL goes along with its document: on the disk nothing waits for a lease."""
    files = {"proc/cmdline": "quiet", FETCHED: FETCHED_TEXT, CONFIG_URL: f"{URL}\n"}
    disk, arguments = first_start(tmp_path, make_machine(tmp_path / "medium", files))
    assert load_intent(disk, arguments).intent.system.hostname == "fetched"


@pytest.mark.parametrize("engine", ["", "node.engine=e.example.org"])
def test_a_dhcp_server_is_asked_again(tmp_path: Path, engine: str) -> None:
    """Its word counts on the disk exactly if it counted on the medium; what it said before is there still."""
    files = {"proc/cmdline": f"quiet {engine}", FETCHED: FETCHED_TEXT}
    root = make_machine(tmp_path / "medium", files)
    disk, arguments = first_start(tmp_path, root)
    make_machine(disk, {f"{LEASES}/2": f"OPTION_224={URL.encode().hex()}\n"})
    assert load_intent(disk, arguments).intent.system.hostname == ""
    origins = load_intent(disk, arguments).origins
    source = ConfigSource(
        disk,
        "",
        Marks,
        tuple,
        is_open=lambda: set(origins.values()) == {"built-in"},
        on_document=lambda: None,
        backoff=Backoff(lambda: 0.5),
    )
    source.look()
    hostname = load_intent(disk, arguments).intent.system.hostname
    assert hostname == ("" if engine else "fetched")
    assert len(source.problems) == (not engine)
