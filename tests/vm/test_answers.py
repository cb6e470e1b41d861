"""Where a node finds what it shall be: in its medium, on a stick, behind a URL, by its DHCP server's word."""

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from image.accelerator import Accelerator
from image.main import main
from image.netboot import serve_folder
from image.qemu import HOST_ADDRESS
from nodelib.run import run
from tests.vm.dhcp_double import CLIENT, dhcp_server
from tests.vm.guest import Boot, Guest, Hardware, Wire, cd_options, switched_on, wait_until
from tests.vm.joining import make_node, short_folder
from tests.vm.test_install import wait_for_agent

pytestmark = [pytest.mark.vm, pytest.mark.thorough, pytest.mark.timeout(3600)]

WIRE_MAC = "52:54:00:00:00:02"
SECONDS = 180.0
EMBEDDED = '[system]\ntimezone = "Europe/Vienna"\nhostname = "embedded.example.org"\n'
PLUGGED_IN = '[system]\nhostname = "stick.example.org"\n[ntp]\nservers = ["192.0.2.123"]\n'
FETCHED = '[ntp]\nservers = ["192.0.2.124"]\n[logging]\nsyslog = ["udp://192.0.2.50:514"]\n'
NAMED = 'ask = ["system.timezone"]\n[system]\nhostname = "named.example.org"\n'
DECIDED = '[system]\ntimezone = "Europe/Vienna"\n'


def make_stick(path: Path) -> tuple[str, ...]:
    """Make a stick labelled VIRTNODE with a node.toml, and return the options that plug it in."""
    with path.open("wb") as file:
        file.truncate(8 << 20)
    run(["mkfs.vfat", "-n", "VIRTNODE", path])
    run(["mcopy", "-i", path, "-", "::node.toml"], stdin=PLUGGED_IN)
    drive = f"if=none,id=answer,format=raw,file={path}"
    return ("-device", "qemu-xhci", "-drive", drive, "-device", "usb-storage,drive=answer,removable=on")


def intent_of(node: Guest) -> tuple[Mapping[str, Any], str]:
    """Return what the node shall be, and all that it says of where that comes from."""
    text = node.run("virtnodectl config show --json")
    found: Mapping[str, Any] = json.loads(text)["document"]
    return found, text


def test_medium_stick_and_url_are_laid_over_one_another(
    artefacts: Path, accelerator: Accelerator, tmp_path: Path
) -> None:
    """Each has a value of its own, and one that the next replaces; the last is the URL."""
    served = tmp_path / "served"
    served.mkdir()
    with short_folder(tmp_path) as folder, serve_folder(served) as port:
        hardware = Hardware(folder, str(uuid.uuid4()))
        (served / f"{hardware.mac}.toml").write_text(FETCHED)
        (folder / "node.toml").write_text(EMBEDDED)
        url = f"http://{HOST_ADDRESS}:{port}/${{mac}}.toml"
        iso, source = folder / "custom.iso", next(artefacts.glob("*.iso"))
        words = ("--config", str(folder / "node.toml"), "--karg", f"node.config={url}")
        assert main(["customize", str(source), "-o", str(iso), *words]) == 0
        boot = Boot(("-vga", "std", *cd_options(iso), *make_stick(folder / "stick.img")))
        with switched_on(Guest(hardware, boot, accelerator), tmp_path / "evidence") as node:
            wait_for_agent(node)
            wait_until(lambda: "192.0.2.124" in intent_of(node)[1], SECONDS, "what the URL says")
            intent, said = intent_of(node)
            assert intent["system"] == intent["system"] | {
                "hostname": "stick.example.org",
                "timezone": "Europe/Vienna",
            }
            assert intent["ntp"]["servers"] == ["192.0.2.124"]
            assert intent["logging"]["syslog"] == ["udp://192.0.2.50:514"]
            assert node.run("hostname").strip() == "stick.example.org"
            assert all(place in said for place in ("/run/virtnode/embedded.toml", "fetched.toml"))


def test_a_dhcp_server_names_the_configuration(
    artefacts: Path, accelerator: Accelerator, tmp_path: Path
) -> None:
    """The node asks for what is left open; with the answer, and without the server, it stays what it is."""
    served = tmp_path / "served"
    served.mkdir()
    (served / f"{WIRE_MAC}.toml").write_text(NAMED)
    with short_folder(tmp_path) as folder, serve_folder(served) as port:
        wire = Wire(WIRE_MAC, folder / "near", folder / "far")
        node = make_node(artefacts, folder / "node", accelerator, hardware={"wires": (wire,)})
        url = f"http://{HOST_ADDRESS}:{port}/{WIRE_MAC}.toml"
        with (
            dhcp_server(wire.remote, wire.local, url),
            switched_on(node, tmp_path / "evidence"),
        ):
            wait_for_agent(node)
            wait_until(lambda: node.run("hostname").strip() == "named.example.org", SECONDS, "the name")
            assert CLIENT in node.run("ip -4 -brief address")
            assert "system.timezone" in node.run("virtnodectl status --json")
            node.run(f"printf '%s' '{DECIDED}' >/run/decided.toml")
            node.run("virtnodectl config apply /run/decided.toml && virtnodectl config confirm; sync")
            assert "system.timezone" not in node.run("virtnodectl status --json")
        with switched_on(node, tmp_path / "evidence"):
            wait_for_agent(node)
            wait_until(lambda: node.run("hostname").strip() == "named.example.org", SECONDS, "the name")
            assert intent_of(node)[0]["system"]["timezone"] == "Europe/Vienna"
