"""sbom.spdx.json: the bill of materials of an image, as SPDX 2.3."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from image.licence_expressions import NOASSERTION, canonical_expression, licence_reference, references_in
from image.manifest import BootPackage, Identity, InstalledPackage, Manifest

NAMESPACE = "urn:virtnode:sbom"

_DOCUMENT = "SPDXRef-DOCUMENT"
_IMAGE = "SPDXRef-Image"
_PURL_TYPES = {"debian": "deb", "fedora": "rpm"}

_Json = dict[str, object]


def write_sbom(manifest: Manifest, path: Path) -> None:
    """Write the bill of materials of a manifest: the same bytes for the same manifest."""
    path.write_text(json.dumps(make_sbom(manifest), indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def make_sbom(manifest: Manifest) -> _Json:
    """Describe what is on the media: each package with files left in the root, and the boot packages.

    A package that trimming left nothing of is not on the media and not here; the manifest still names it.
    """
    identity = manifest.identity
    shipped: list[InstalledPackage | BootPackage] = [entry for entry in manifest.packages if entry.files]
    shipped += manifest.boot_packages
    elements = {_element_id(entry): entry for entry in shipped}
    packages = [_describe(entry, element, identity) for element, entry in sorted(elements.items())]
    namespace = f"{NAMESPACE}:{quote(identity.product)}:{quote(identity.plan)}:{_digest(packages)}"
    return {
        "SPDXID": _DOCUMENT,
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "name": f"{identity.product}-{identity.version}-{identity.architecture}",
        "documentNamespace": namespace,
        "creationInfo": {"created": _timestamp(identity), "creators": ["Tool: virtnode-image"]},
        "packages": [_describe_image(identity), *packages],
        "relationships": [
            _relationship(_DOCUMENT, "DESCRIBES", _IMAGE),
            *(_relationship(_IMAGE, "CONTAINS", element) for element in sorted(elements)),
        ],
        "hasExtractedLicensingInfos": _extracted_licences(elements.values()),
    }


def declared_licence(licence: str) -> str:
    """Turn what a package calls its licence into a valid SPDX expression, a LicenseRef, or NOASSERTION."""
    if licence in ("", NOASSERTION):
        return NOASSERTION
    return canonical_expression(licence) or licence_reference(licence.replace("+", "-or-later"))


def package_url(entry: InstalledPackage | BootPackage, base: str) -> str:
    """Write a package's purl: type, distribution, name, version and architecture."""
    version, epoch = entry.version, ""
    qualifiers = f"arch={quote(entry.architecture, safe='')}"
    if base == "fedora" and ":" in version:
        epoch, _, version = version.partition(":")
        qualifiers += f"&epoch={epoch}"
    name = quote(entry.name, safe="")
    return f"pkg:{_PURL_TYPES.get(base, 'generic')}/{base}/{name}@{quote(version, safe='')}?{qualifiers}"


def _describe_image(identity: Identity) -> _Json:
    return {
        "SPDXID": _IMAGE,
        "name": identity.product,
        "versionInfo": identity.version,
        "supplier": NOASSERTION,
        "downloadLocation": NOASSERTION,
        "filesAnalyzed": False,
        "licenseConcluded": NOASSERTION,
        "licenseDeclared": NOASSERTION,
        "copyrightText": NOASSERTION,
        "primaryPackagePurpose": "OPERATING-SYSTEM",
        "comment": f"{identity.base} {identity.suite}, profile {identity.profile}, plan {identity.plan}",
    }


def _describe(entry: InstalledPackage | BootPackage, element: str, identity: Identity) -> _Json:
    described: _Json = {
        "SPDXID": element,
        "name": entry.name,
        "versionInfo": entry.version,
        "supplier": NOASSERTION,
        "downloadLocation": NOASSERTION,
        "filesAnalyzed": False,
        "licenseConcluded": NOASSERTION,
        "licenseDeclared": declared_licence(entry.licence),
        "copyrightText": NOASSERTION,
        "sourceInfo": f"built from the source package {entry.source}",
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": package_url(entry, identity.base),
            }
        ],
    }
    if isinstance(entry, BootPackage):
        described["comment"] = f"on the media as {', '.join(entry.where)}"
    return described


def _extracted_licences(entries: Iterable[InstalledPackage | BootPackage]) -> list[_Json]:
    """Say of each LicenseRef which packages use it: their copyright files hold its words."""
    users: dict[str, set[str]] = {}
    names: dict[str, str] = {}
    for entry in entries:
        for reference in references_in(declared_licence(entry.licence)):
            users.setdefault(reference, set()).add(entry.name)
            names[reference] = entry.licence if canonical_expression(entry.licence) is None else reference
    return [_extracted(reference, names, users[reference]) for reference in sorted(users)]


def _extracted(reference: str, names: Mapping[str, str], users: Iterable[str]) -> _Json:
    packages = ", ".join(sorted(users))
    return {
        "licenseId": reference,
        "name": names[reference].removeprefix("LicenseRef-Debian-"),
        "extractedText": f"Its words are in the copyright files of these packages: {packages}",
    }


def _element_id(entry: InstalledPackage | BootPackage) -> str:
    """Make an SPDX id, which may have letters, digits, dots and hyphens only; a digest tells g++ from g--."""
    name = re.sub(r"[^A-Za-z0-9.-]", "-", entry.name)
    if name != entry.name:
        name += f"-{hashlib.sha256(entry.name.encode()).hexdigest()[:8]}"
    kind = "Boot" if isinstance(entry, BootPackage) else "Package"
    return f"SPDXRef-{kind}-{name}-{entry.architecture.replace('_', '-')}"


def _relationship(element: str, kind: str, related: str) -> _Json:
    return {"spdxElementId": element, "relationshipType": kind, "relatedSpdxElement": related}


def _timestamp(identity: Identity) -> str:
    return datetime.fromtimestamp(identity.source_date_epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _digest(packages: list[_Json]) -> str:
    """Digest the packages: an SPDX namespace must not be used for two documents that differ."""
    return hashlib.sha256(json.dumps(packages, sort_keys=True).encode()).hexdigest()[:16]
