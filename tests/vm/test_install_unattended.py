"""An installation that nobody watches: tried on recorded hardware, refused, cut short, done, and told."""

import dataclasses
import json
import shlex
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from image.accelerator import Accelerator
from image.main import main
from nodelib.run import run
from nodelib.slots import BEGUN, ESP, MEBIBYTE, SLOT_A, STATE, lay_out
from tests.vm.guest import Boot, Guest, Hardware, cd_options, switched_on, wait_until
from tests.vm.joining import short_folder
from tests.vm.listener import Listener, listening
from tests.vm.recipes import DOCS, recipe
from tests.vm.test_console import BOOT_SECONDS
from tests.vm.test_install import INSTALL_SECONDS, SERIAL, make_disk, wait_for_agent
from tests.vm.test_install_console import TABLE_BYTES, runs_from_disk

pytestmark = [pytest.mark.vm, pytest.mark.thorough, pytest.mark.timeout(5400)]

CUSTOMIZE = "virtnode-image customize out/virtnode-0.1.0-x86_64.iso"
ANSWER = '[install]\nrule = "smallest"\nwebhook = "{url}"\n'
ALLOWED = 'wipe = ["contents"]\n'
HOOK, SURVEYS, INVENTORY = "/hook", "/surveys", "/inventory"
REFUSED = "it is not empty"
NEWS_SECONDS = 60.0
SLOT_PLACE = next(
    region.start for region in lay_out({ESP: 256, SLOT_A: 1024, STATE: 1024}) if region.name == SLOT_A
)
"""The MiB of slot A in the default layout."""


def test_nobody_is_there_and_everything_is_told(
    artefacts: Path, accelerator: Accelerator, tmp_path: Path
) -> None:
    """What `match` says of the recorded machine is what the machine then does, power cut or not."""
    with short_folder(tmp_path) as folder, listening() as listener:
        medium_first = Hardware(folder, str(uuid.uuid4()), state=disk_with_content(folder))
        careful, bold = (answer(folder, listener, more) for more in ("", ALLOWED))
        medium = customised(artefacts, careful, *survey_words(listener.url(INVENTORY)))
        with switched_on(Guest(medium_first, medium, accelerator), tmp_path / "evidence") as node:
            wait_for_agent(node)
            wait_until(lambda: REFUSED in status(node), INSTALL_SECONDS, "a refusal")
            node.run(recipe("install.md", "virtnodectl survey --post", {"URL": listener.url(SURVEYS)}))
        wait_until(lambda: bool(listener.got(INVENTORY)), NEWS_SECONDS, "a survey that nobody asked for")
        assert [one["disks"] for one in listener.got(INVENTORY)] == [listener.got(SURVEYS)[0]["disks"]]
        machine = folder / "machine.json"
        machine.write_text(json.dumps(listener.got(SURVEYS)[0]))
        assert any(REFUSED in problem for problem in match(careful, machine)["problems"])
        plan = match(bold, machine)
        assert (plan["disk"]["serial"], plan["problems"]) == (SERIAL, [])
        medium = customised(artefacts, bold)
        with switched_on(Guest(medium_first, medium, accelerator), tmp_path / "evidence"):
            wait_until(lambda: is_half_done(medium_first), BOOT_SECONDS, "half an installation", pause=0.1)
        disk_first = dataclasses.replace(medium_first, state_starts=True)
        with switched_on(Guest(disk_first, medium, accelerator), tmp_path / "evidence") as node:
            wait_for_agent(node)
            assert "root=live:CDLABEL=" in node.run("cat /proc/cmdline")
            assert "began and never ended" in node.run("journalctl --boot --no-pager --unit virtnode-agent")
            wait_until(lambda: runs_from_disk(node), INSTALL_SECONDS + BOOT_SECONDS, "a start from the disk")
            wait_for_agent(node)
            assert node.run("systemctl --failed --no-legend --plain").strip() == ""
            layout = {one["name"]: one["size_bytes"] for one in plan["regions"]}
            assert partitions(node) == layout
        news = listener.got(HOOK)
        assert [one["event"] for one in news] == ["failed", "started", "started", "succeeded"]
        assert REFUSED in news[0]["error"]
        assert {one["machine"] for one in news} == {medium_first.uuid}
        assert {one["disk_serial"] for one in news} == {SERIAL}
        schema = json.loads((DOCS / "install-webhook.schema.json").read_text())
        validator = jsonschema_rs.validator_for(schema)
        assert [str(error) for one in news for error in validator.iter_errors(one)] == []


def disk_with_content(folder: Path) -> Path:
    """Make a disk that somebody has partitioned."""
    disk = make_disk(folder)
    run(["sfdisk", "--quiet", disk], stdin="label: gpt\nstart=2048, type=linux\n")
    return disk


def answer(folder: Path, listener: Listener, more: str) -> Path:
    """Write what the medium is to say."""
    path = folder / f"node{len(more)}.toml"
    path.write_text(ANSWER.format(url=listener.url(HOOK)) + more)
    return path


def survey_words(url: str) -> list[str]:
    """Say what has a medium post a survey by itself, as the documentation says."""
    names = {"https://inventory.example.org/machines": url}
    return shlex.split(recipe("install.md", f"{CUSTOMIZE} -o survey.iso", names))[-2:]


def customised(artefacts: Path, configuration: Path, *more: str) -> Boot:
    """Make the medium, as the documentation says."""
    iso = configuration.with_suffix(".iso")
    names = {
        "out/virtnode-0.1.0-x86_64.iso": str(next(artefacts.glob("*.iso"))),
        "auto.iso": str(iso),
        "node.toml": str(configuration),
    }
    line = recipe("install.md", f"{CUSTOMIZE} -o auto.iso", names)
    assert main([*shlex.split(line)[1:], *more]) == 0
    return Boot(("-vga", "std", *cd_options(iso)))


def match(configuration: Path, machine: Path) -> Mapping[str, Any]:
    """Ask what the answer would do to the recorded machine."""
    names = {"node.toml": str(configuration), "machine.json": str(machine)}
    words = shlex.split(recipe("install.md", "virtnode-image match", names))
    argv = [sys.executable, "-m", "image.start", *words[1:], "--json"]
    found: Mapping[str, Any] = json.loads(subprocess.run(argv, capture_output=True, check=False).stdout)
    return found


def status(node: Guest) -> str:
    """Ask the node how the installation stands."""
    return node.try_run("virtnodectl install status")[1]


def is_half_done(hardware: Hardware) -> bool:
    """Tell whether the copy to slot A has begun, and nothing else is there yet."""
    assert hardware.state is not None
    with hardware.state.open("rb") as disk:
        table = disk.read(TABLE_BYTES)
        disk.seek((SLOT_PLACE + 16) * MEBIBYTE)
        return BEGUN.encode("utf-16-le") in table and any(disk.read(MEBIBYTE))


def partitions(node: Guest) -> Mapping[str, int]:
    """Read the sizes of the disk's partitions, as the node's kernel has them."""
    rows = json.loads(node.run("lsblk --json --bytes --output PARTLABEL,SIZE /dev/vda --list"))[
        "blockdevices"
    ]
    return {row["partlabel"]: row["size"] for row in rows if row["partlabel"]}
