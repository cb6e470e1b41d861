"""What can be judged only when a whole kickstart has been read: what fits its base, what refers to what."""

import re

from image.kickstart_draft import Draft

SUITES = {"debian": re.compile(r"[a-z][a-z0-9-]*"), "fedora": re.compile(r"[0-9]{2,3}|rawhide")}
SUITE_FORMS = {"debian": "a release name, as in trixie", "fedora": "a release number, as in 43, or rawhide"}


def check_draft(draft: Draft) -> None:
    """Report everything that is missing, or that contradicts something said elsewhere."""
    base = draft.text("base")
    if not base:
        draft.problems.add(
            draft.place_of("section", "%addon"),
            "no %addon virtnode_image section names the base",
            "base debian or base fedora",
        )
    _check_suite(draft, base)
    if base == "debian":
        _check_debian(draft)
    elif base == "fedora":
        _check_fedora(draft)
    _check_services(draft)
    _check_key_owners(draft)


def _check_suite(draft: Draft, base: str) -> None:
    suite = draft.setting("suite")
    if suite and base in SUITES and not SUITES[base].fullmatch(str(suite[0])):
        draft.problems.add(suite[1], f"suite {suite[0]} is not one of {base}", SUITE_FORMS[base])


def _check_debian(draft: Draft) -> None:
    for origin, what in draft.only_on_fedora:
        if what.startswith("%packages"):
            draft.problems.add(
                origin, f"{what} cannot be installed: Debian has no groups", "package names and globs"
            )
        else:
            draft.problems.add(
                origin, f"{what} is not honoured on base debian", "url --url=, repo --name= --baseurl="
            )


def _check_fedora(draft: Draft) -> None:
    if not draft.setting("url") and not draft.repositories:
        base = draft.setting("base")
        if base:
            draft.problems.add(base[1], "base fedora has no repository", "at least one url or repo command")


def _check_services(draft: Draft) -> None:
    for unit in draft.services_disabled:
        if unit in draft.services_enabled:
            place = draft.place_of("services --disabled", unit)
            other = draft.place_of("services --enabled", unit)
            draft.problems.add(
                place, f"services --disabled={unit} is also enabled, at {other}", "one of the two"
            )


def _check_key_owners(draft: Draft) -> None:
    names = {"root", *(user.name for user in draft.users)}
    for key in draft.ssh_keys:
        if key.user not in names:
            draft.problems.add(
                draft.place_of("sshkey", key.user),
                f"sshkey --username={key.user} has no account",
                "root, or a user of this kickstart",
            )
