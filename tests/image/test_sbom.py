"""The bill of materials, read and judged by SPDX's own tools."""

import dataclasses
import json
from pathlib import Path

import pytest

from image.bases import RepositoryState
from image.manifest import BootPackage, Identity, InstalledPackage, Manifest
from image.sbom import declared_licence, make_sbom, package_url, write_sbom

IDENTITY = Identity("virtnode", "0.1.0", "amd64", "debian", "trixie", "ab12", "release", 1_700_000_000)

LICENCES = [
    "GPL-2.0-or-later AND (MIT OR LicenseRef-Debian-odd)",
    "GPLv2+ and some words / of its own",
    "LicenseRef-Fedora-Public-Domain",
    "NOASSERTION",
    "",
    "Apache-2.0 WITH LLVM-exception",
    "LicenseRef-Debian-PCRE AND LicenseRef-Debian-pcre",
]


@pytest.fixture
def manifest() -> Manifest:
    """Make a manifest with names, versions and licences of every kind."""
    names = ["libstdc++6", "libstdc--6", "tool", "a_b", "c", "d", "e"]
    packages = [
        InstalledPackage(name, "1:2.0~rc1+dfsg-1", "amd64", licence, f"{name} 1", 10, 1)
        for name, licence in zip(names, LICENCES, strict=True)
    ]
    packages.append(InstalledPackage("trimmed", "1", "amd64", "MIT", "trimmed 1", 0, 0))
    boot = BootPackage("shim-signed", "1", "amd64", "BSD-2-Clause", "shim 1", ("EFI/BOOT/BOOTX64.EFI",))
    return Manifest(IDENTITY, (RepositoryState("main", "ff"),), tuple(packages), (), (), (boot,), ())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("base", ["debian", "fedora"])
def test_validator_has_nothing_to_say(manifest: Manifest, tmp_path: Path, base: str) -> None:
    """SPDX's validator accepts the document of both bases without a message."""
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    manifest = dataclasses.replace(manifest, identity=dataclasses.replace(IDENTITY, base=base))
    write_sbom(manifest, tmp_path / "sbom.spdx.json")
    document = parse_file(str(tmp_path / "sbom.spdx.json"))
    assert validate_full_spdx_document(document) == []
    assert len(document.packages) == 1 + len(LICENCES) + 1


def test_document_is_reproducible(manifest: Manifest, tmp_path: Path) -> None:
    """The same manifest gives the same bytes, and its time is the plan's."""
    write_sbom(manifest, tmp_path / "one")
    write_sbom(manifest, tmp_path / "two")
    text = (tmp_path / "one").read_text()
    assert text == (tmp_path / "two").read_text()
    document = json.loads(text)
    assert document["creationInfo"]["created"] == "2023-11-14T22:13:20Z"
    assert document["documentNamespace"].startswith("urn:virtnode:sbom:virtnode:ab12:")


def test_namespace_differs_with_content(manifest: Manifest) -> None:
    """Two documents that differ never share a namespace, even of one plan."""
    fewer = dataclasses.replace(manifest, packages=manifest.packages[1:])
    assert make_sbom(manifest)["documentNamespace"] != make_sbom(fewer)["documentNamespace"]


@pytest.mark.parametrize(
    ("licence", "declared"),
    [
        ("mit and isc", "MIT AND ISC"),
        ("GPLv2+", "LicenseRef-GPLv2-or-later"),
        ("", "NOASSERTION"),
        ("NOASSERTION", "NOASSERTION"),
    ],
)
def test_declared_licence_is_always_valid(licence: str, declared: str) -> None:
    """A licence that is no SPDX expression becomes one reference."""
    assert declared_licence(licence) == declared


def test_package_urls() -> None:
    """Each distribution's purl keeps the epoch where its type wants it."""
    deb = InstalledPackage("libstdc++6", "1:14+x-1", "amd64", "", "", 0, 1)
    rpm = InstalledPackage("bind-libs", "32:9.18-1.fc42", "x86_64", "", "", 0, 1)
    assert package_url(deb, "debian") == "pkg:deb/debian/libstdc%2B%2B6@1%3A14%2Bx-1?arch=amd64"
    assert package_url(rpm, "fedora") == "pkg:rpm/fedora/bind-libs@9.18-1.fc42?arch=x86_64&epoch=32"
