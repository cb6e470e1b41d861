"""The inquiry reaches a node as credentials that are whole and valid."""

import base64
import subprocess
from importlib import resources
from pathlib import Path

from image.verify.inquiry import inquiry, unit_credentials, write_credentials


def test_unit_is_filled_in_and_started() -> None:
    """No placeholder is left, and multi-user.target wants the unit."""
    credentials = inquiry(guest=True, patience=7)
    unit = credentials["systemd.extra-unit.virtnode-verify.service"]
    assert "@" not in unit
    assert unit.splitlines()[-2].endswith("org.virtnode.verify 7 guest")
    wants = credentials["systemd.unit-dropin.multi-user.target~virtnode-verify"]
    assert wants == "[Unit]\nWants=virtnode-verify.service\n"


def test_another_unit_can_be_added() -> None:
    """The names follow systemd's, with the unit's own for the drop-in."""
    assert set(unit_credentials("broken.service", "[Service]\n")) == {
        "systemd.extra-unit.broken.service",
        "systemd.unit-dropin.multi-user.target~broken",
    }


def test_each_credential_is_one_smbios_string(tmp_path: Path) -> None:
    """The text survives its encoding."""
    (file,) = write_credentials({"virtnode.test": "two\nlines, and a comma\n"}, tmp_path)
    name, _, value = file.read_text().partition("=")
    assert name == "io.systemd.credential.binary:virtnode.test"
    assert base64.b64decode(value) == b"two\nlines, and a comma\n"


def test_script_is_valid_shell() -> None:
    """A shell can read the script to its end."""
    script = (resources.files("image.verify") / "inquiry.sh").read_text()
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
