"""What an image is made of, as a node carries it and as two images are compared by it."""

import dataclasses
import json
from pathlib import Path

import pytest

from image.bases import Package
from image.main import main
from image.media.update import make_update
from image.package_list import compare_packages, install_package_list, name_versions, read_packages
from nodelib.bus_update import PackageChange
from nodelib.errors import VirtnodeError
from nodelib.update_bundle import PACKAGE_LIST
from tests.image.payloads import RELEASE, make_payload
from tests.image.small_media import write_small_manifest


def package(name: str, version: str, architecture: str = "amd64") -> Package:
    """Make a package without files."""
    return Package(name, version, architecture, "MIT", f"{name} {version}", ())


def test_packages_are_named_once() -> None:
    """By name alone; with the architecture where there are several; all versions of what is there twice."""
    packages = [
        package("zlib1g", "1:1.3", "i386"),
        package("zlib1g", "1:1.3", "amd64"),
        package("kernel-core", "6.12.2"),
        package("kernel-core", "6.12.1"),
        package("bash", "5.2", "all"),
    ]
    assert list(name_versions(packages).items()) == [
        ("bash", "5.2"),
        ("kernel-core", "6.12.1,6.12.2"),
        ("zlib1g:amd64", "1:1.3"),
        ("zlib1g:i386", "1:1.3"),
    ]


def test_the_list_of_a_root_is_read_back(tmp_path: Path) -> None:
    """A line each, sorted, readable by all, in the place that the contract names."""
    (tmp_path / PACKAGE_LIST).parent.mkdir(parents=True)
    install_package_list(tmp_path, {"b": "2~rc1+deb13u1", "a": "1:1"})
    path = tmp_path / "usr/lib/virtnode/packages"
    assert path.read_text() == "a 1:1\nb 2~rc1+deb13u1\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert read_packages(path) == {"a": "1:1", "b": "2~rc1+deb13u1"}


def test_changes_are_added_removed_and_other_versions() -> None:
    """What is the same is not told."""
    before, after = {"a": "1", "b": "1", "c": "1"}, {"b": "2", "c": "1", "d": "1"}
    assert compare_packages(before, after) == (
        PackageChange("a", "1", ""),
        PackageChange("b", "1", "2"),
        PackageChange("d", "", "1"),
    )


def test_bundles_manifests_and_lists_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever of an image is at hand; a folder stands for the manifest that a build left there."""
    payload = make_payload(tmp_path / "payload")
    payload = dataclasses.replace(
        payload, release=dataclasses.replace(RELEASE, packages={"p": "2", "q": "1"})
    )
    [bundle] = make_update(payload, tmp_path, tmp_path)
    write_small_manifest(tmp_path / "manifest.json", packages=1)
    (tmp_path / "packages").write_text("p 2\nq 1\n")
    assert main(["diff", str(tmp_path), str(bundle)]) == 0
    assert capsys.readouterr().out.split() == ["package", "before", "after", "p", "1", "2", "q", "-", "1"]
    assert main(["diff", str(bundle), str(tmp_path / "packages"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["diff", str(bundle), str(tmp_path / "packages")]) == 0
    assert "the same packages" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"one two three\n", b"\xff\xfe", b"{}"])
def test_what_tells_of_no_packages_is_named(tmp_path: Path, content: bytes) -> None:
    """One line, with what to give instead."""
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(VirtnodeError, match=str(path)) as caught:
        read_packages(path)
    assert caught.value.hint
    with pytest.raises(VirtnodeError, match="there is no"):
        read_packages(tmp_path / "absent")
