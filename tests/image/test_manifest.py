"""The manifest: measured from a root, written and read without loss."""

import json
from pathlib import Path

import pytest

from image.bases import Package, RepositoryState
from image.file_owners import Usage, collect_ownership
from image.manifest import Identity, Manifest, collect_manifest, read_manifest, write_manifest
from image.sums import Artefact
from nodelib.errors import Code, VirtnodeError

IDENTITY = Identity("virtnode", "0.1.0", "amd64", "debian", "trixie", "ab12", "release", 1_700_000_000)


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Collect the manifest of a root of three files."""
    root = tmp_path / "root"
    (root / "usr/bin").mkdir(parents=True)
    (root / "bin").symlink_to("usr/bin")
    for name, size in (("usr/bin/tool", 10), ("usr/bin/virtnodectl", 20), ("usr/bin/nic.ko", 40)):
        (root / name).write_bytes(b"x" * size)
    packages = [
        Package("tool", "2:1.0-1", "amd64", "MIT", "tool 2:1.0-1", ("/bin/tool",)),
        Package(
            "linux", "6.12", "amd64", "GPL-2.0-only", "linux 6.12", ("/usr/bin/nic.ko", "/usr/bin/no.ko")
        ),
        Package("dpkg", "1", "amd64", "GPL-2.0-or-later", "dpkg 1", ("/usr/bin/dpkg",)),
    ]
    ownership = collect_ownership(
        root, packages, own_paths=["/usr/bin/virtnodectl"], drivers={"/usr/bin/nic.ko": "net"}
    )
    return collect_manifest(
        IDENTITY,
        root=root,
        packages=packages,
        ownership=ownership,
        repositories=[RepositoryState("main", "ff")],
        boot_packages={Package("shim-signed", "1", "amd64", "MIT", "shim 1", ()): ("/EFI/BOOT/BOOTX64.EFI",)},
        artefacts=[
            Artefact("pxe/vmlinuz", 2, "00"),
            Artefact("node.iso", 1, "00"),
            Artefact("manifest.json", 1, "00"),
        ],
    )


def test_packages_are_measured_on_the_root(manifest: Manifest) -> None:
    """Each package counts what trimming left of it, and one with nothing left is still named."""
    assert [(entry.name, entry.bytes, entry.files) for entry in manifest.packages] == [
        ("dpkg", 0, 0),
        ("linux", 40, 1),
        ("tool", 10, 1),
    ]
    assert manifest.others == (Usage("generated", 0, 1), Usage("virtnode", 20, 1))
    assert manifest.drivers == (Usage("net", 40, 1),)
    assert [artefact.path for artefact in manifest.artefacts] == ["node.iso", "pxe/vmlinuz"]


def test_manifest_survives_writing(manifest: Manifest, tmp_path: Path) -> None:
    """Reading gives back what was written, in sorted JSON with a final newline."""
    write_manifest(manifest, tmp_path / "manifest.json")
    text = (tmp_path / "manifest.json").read_text()
    assert read_manifest(tmp_path / "manifest.json") == manifest
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 99},
        {"identity": {"product": "virtnode"}},
        {"packages": [{"name": 1}]},
        {"packages": "none"},
        {"others": [{"name": "x", "bytes": "10", "files": 1}]},
    ],
)
def test_broken_manifest_is_refused(manifest: Manifest, tmp_path: Path, change: dict[str, object]) -> None:
    """A wrong schema, a missing field and a wrong type each give one line that names the file."""
    path = tmp_path / "manifest.json"
    write_manifest(manifest, path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(VirtnodeError, match="not a manifest") as caught:
        read_manifest(path)
    assert caught.value.code is Code.INVALID


def test_missing_manifest_is_not_found(tmp_path: Path) -> None:
    """No file is another failure than a broken one."""
    with pytest.raises(VirtnodeError) as caught:
        read_manifest(tmp_path / "manifest.json")
    assert caught.value.code is Code.NOT_FOUND
