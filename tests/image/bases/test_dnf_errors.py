"""What a user is told for what dnf 4 and dnf 5 print."""

import pytest

from image.bases.dnf_errors import explain_failure
from nodelib.errors import Code
from nodelib.run import Result

DNF5_CHECK = 'OpenPGP check for package "a-1-1.noarch" (/cache/a-1-1.noarch.rpm) from repo "x" has failed: '
UNSIGNED = (Code.DENIED, "not signed: a-1-1.noarch")
UNTRUSTED = (Code.DENIED, "signed with a key that is not trusted: a-1-1.noarch")
ALTERED = (Code.DENIED, "damaged or altered after signing: a-1-1.noarch")
UNREADABLE = (Code.UNAVAILABLE, "repository x cannot be read")
EXCLUDED = "both asked for and excluded: "
UNFIT = "the packages do not fit together: "
NEEDS = "nothing provides b.so needed by a-1-1.noarch"
CONFLICTS = "package a-1-1.noarch conflicts with b provided by b-1-1.noarch"
CASES = [
    ("No match for argument: chrny", (Code.INVALID, "no such package: chrny (there is chrony)")),
    ("Module or Group 'core' is not available.", (Code.INVALID, "no such package: core")),
    ("All matches were filtered out by exclude filtering for argument: a", (Code.INVALID, EXCLUDED + "a")),
    ("Argument 'a' matches only excluded packages.", (Code.INVALID, EXCLUDED + "a")),
    ("Package a-1-1.noarch.rpm is not signed", UNSIGNED),
    (DNF5_CHECK + "The package is not signed.", UNSIGNED),
    ("for this repository.. Failing package is: a-1-1.noarch", UNTRUSTED),
    (DNF5_CHECK + "Import of the key didn't help, wrong key?", UNTRUSTED),
    ('Package "a-1-1.noarch" from local repository "x" has incorrect checksum', ALTERED),
    (
        "[MIRROR] a-1-1.noarch.rpm: Downloading successful, but checksum doesn't match. Calculated: 3a",
        ALTERED,
    ),
    (">>> Downloading successful, but checksum doesn't match. - https://h.invalid/a-1-1.noarch.rpm", ALTERED),
    ("Problem opening package a-1-1.noarch.rpm", ALTERED),
    (DNF5_CHECK + "Problem occurred when opening the package.", ALTERED),
    ("Error: Failed to download metadata for repo 'x': Cannot download repomd.xml", UNREADABLE),
    (
        'Failed to download metadata (baseurl: "http://a") for repository "x": Usable URL not found',
        UNREADABLE,
    ),
    (
        "Cannot download a-1-1.noarch.rpm: All mirrors were tried",
        (Code.UNAVAILABLE, "cannot be downloaded: a-1-1.noarch"),
    ),
    (
        "  At least 12MB more space needed on the / filesystem.",
        (Code.FAILED, "the disk is full: 12MB more needed"),
    ),
    ("cpio: write failed - No space left on device", (Code.FAILED, "the disk is full: some more needed")),
    (f"  - {NEEDS} from x", (Code.NOT_FOUND, UNFIT + NEEDS)),
    (f"  - {CONFLICTS}", (Code.CONFLICT, UNFIT + CONFLICTS)),
]


def failed(text: str, status: int = 1) -> Result:
    """Describe a dnf that printed a text and ended."""
    return Result(argv=("dnf", "install"), status=status, stdout="", stderr=text)


@pytest.mark.parametrize(("text", "told"), CASES)
def test_recognises(text: str, told: tuple[Code, str]) -> None:
    """Each known failure becomes one line with a code and a hint."""
    error = explain_failure(failed(text), lambda: ["chrony", "kernel-core"])
    assert error is not None
    assert (error.code, error.message) == told
    assert error.hint


def test_all_unknown_names_are_told_at_once() -> None:
    """Two misspellings need one run, not two."""
    text = (
        "No match for argument: chrny\nNo match for argument: zzz\nError: Unable to find a match: chrny zzz"
    )
    error = explain_failure(failed(text), lambda: ["chrony"])
    assert error is not None
    assert error.message == "no such package: chrny (there is chrony), zzz"


@pytest.mark.parametrize("status", [0, 1])
def test_a_scriptlets_failure_counts_whatever_dnf_thinks(status: int) -> None:
    """A scriptlet that fails is an error even where dnf ends with status 0."""
    text = "oh no\nwarning: %post(a-1-1.noarch) scriptlet failed, exit status 5\n\nError in POSTIN scriptlet"
    error = explain_failure(failed(text, status), list)
    assert error is not None
    assert error.message == "scriptlet failed: %post of a-1-1.noarch (exit status 5)"
    assert "oh no" in error.hint


def test_success_is_no_failure() -> None:
    """Lines that look bad do not matter where dnf ended well."""
    assert explain_failure(failed("Package a.rpm is not signed", 0), list) is None


def test_an_unknown_failure_keeps_dnfs_last_words() -> None:
    """What we do not recognise is passed on with the command to repeat."""
    error = explain_failure(failed("something new"), list)
    assert error is not None
    assert "something new" in error.message
    assert "dnf install" in error.hint
