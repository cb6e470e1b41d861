"""The plan: what shapes an image changes its identity, and what does not leaves it alone."""

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from image.bases import RepositoryState, Sources
from image.config import ImageConfig, Packages, PublicKey, Script, User
from image.drivers import DriverGroup
from image.plan import (
    BASES,
    LATEST_EPOCH,
    ImagePlan,
    Options,
    Profile,
    check_kickstart,
    code_digest,
    find_epoch,
    find_size_budget,
    make_plan,
    programs_digest,
)
from nodelib.errors import InvalidInput, VirtnodeError
from tests.image.archives import make_archive, served
from tests.image.keys import make_keys
from tests.image.test_kickstart import SITE_KEY

KICKSTART = """\
rootpw --iscrypted $6$salt$secret-hash
%addon virtnode_image
base debian
suite trixie
keep-drivers core
gpgkey key.gpg
trim rules.tmpl
size-budget 120MB
%end
%include packages.inc
%post
echo words
%end
"""
FILES = {
    "node.ks": KICKSTART,
    "packages.inc": "%packages\nsystemd\n%end\n",
    "key.gpg": "a key",
    "rules.tmpl": "remove /usr/share/games\n",
}
UPDATE_KEY = "%addon virtnode_image\nupdate-key site.pem\n%end\n"
Plan = Callable[..., ImagePlan]


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Make plans from files of which a test changes some, and an archive."""
    numbers = iter(range(100))

    def make(files: dict[str, str] | None = None, *, offered: str = "", **options: object) -> ImagePlan:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        for name, text in {**FILES, **(files or {})}.items():
            (folder / name).write_text(text)
        make_archive(folder / "www", text=offered)
        with served(folder / "www") as url:
            sources = Sources(mirror=f"{url}/debian", cache=folder / "cache")
            chosen = Options(out=folder / "out", sources=sources, **options)  # type: ignore[arg-type]
            return make_plan(folder / "node.ks", chosen)

    return make


def test_neither_place_nor_mirror_shapes_a_plan(plan: Plan) -> None:
    """The same files elsewhere, from another address, are the same plan."""
    one, two = plan(), plan()
    assert one.config.source != two.config.source
    assert (one.as_json(), one.id, one.label) == (two.as_json(), two.id, two.label)


CHANGES: dict[str, dict[str, object]] = {
    "a package": {"files": {"packages.inc": "%packages\nsystemd\nudev\n%end\n"}},
    "an option of packages": {"files": {"packages.inc": "%packages --excludedocs\nsystemd\n%end\n"}},
    "a rule": {"files": {"rules.tmpl": "remove /usr/share/other\n"}},
    "whether a rule may fail": {"files": {"rules.tmpl": "-remove /usr/share/games\n"}},
    "a driver group": {"files": {"node.ks": KICKSTART.replace("keep-drivers core", "keep-drivers core kvm")}},
    "the content of a key": {"files": {"key.gpg": "another key"}},
    "an update key": {"files": {"site.pem": SITE_KEY, "node.ks": f"{KICKSTART}{UPDATE_KEY}"}},
    "a script": {"files": {"node.ks": KICKSTART.replace("echo words", "echo other words")}},
    "a password": {"files": {"node.ks": KICKSTART.replace("secret-hash", "other-hash")}},
    "the budget": {"size_budget": 10**8},
    "the profile": {"profile": Profile.DEV},
    "the media": {"media": ("iso",)},
    "the PXE address": {"pxe_url": "http://boot.example.invalid"},
    "what the archive offers": {"offered": "more"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_shapes_the_image_changes_the_plan(change: str, plan: Plan) -> None:
    """Each input of its own gives another identity."""
    assert plan(**CHANGES[change]).id != plan().id


def test_update_keys_come_from_kickstart_and_command_line(plan: Plan, tmp_path: Path) -> None:
    """Sorted by name, each once, in the plan by what they are; two of one name are refused."""
    site, other = (make_keys(tmp_path / name, name)[1] for name in ("site", "other"))
    files = {"site.pem": site.read_text(), "node.ks": f"{KICKSTART}{UPDATE_KEY}"}
    made = plan(files, update_keys=(site, other))
    assert [key.name for key in made.update_keys] == ["other", "site"]
    assert made.as_json()["update_keys"] == {key.name: key.identifier for key in made.update_keys}
    assert plan(files, update_keys=(other,)).id == made.id
    assert plan(files, update_keys=(other,), sign_keys=(tmp_path / "any",)).id == made.id
    _, namesake = make_keys(tmp_path / "namesake", "site")
    with pytest.raises(VirtnodeError, match="two different update keys that are called site"):
        plan(files, update_keys=(namesake,))


def test_the_order_of_driver_groups_counts(plan: Plan) -> None:
    """The first group that keeps a module is its owner."""
    ids = [
        plan({"node.ks": KICKSTART.replace("keep-drivers core", f"keep-drivers {names}")}).id
        for names in ("core kvm", "kvm core")
    ]
    assert ids[0] != ids[1]


def test_the_time_changes_the_plan(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """SOURCE_DATE_EPOCH is part of the identity, for every file shows it."""
    plans = []
    for value in ("1", "2"):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", value)
        plans.append(make_with_epoch(plan))
    assert plans[0].id != plans[1].id
    assert [made.epoch for made in plans] == [1, 2]


def make_with_epoch(plan: Plan) -> ImagePlan:
    """Make a plan with the epoch of the present environment."""
    made = plan()
    return dataclasses.replace(made, epoch=find_epoch(made.config.source, os.environ))


def test_json_tells_no_secret_and_no_path(plan: Plan, tmp_path: Path) -> None:
    """A plan can be published: passwords are digests, and folders of this machine are not in it."""
    user = User("ann", password="$6$ann$hash")
    made = plan()
    config = dataclasses.replace(made.config, users=(user,))
    text = json.dumps(dataclasses.replace(made, config=config).as_json())
    for secret in ("secret-hash", "$6$ann", str(tmp_path)):
        assert secret not in text
    assert text.count("sha256:") == 2


def test_every_setting_is_in_the_plan(plan: Plan) -> None:
    """No field of the configuration is left out but the path of the kickstart; keys have their own place."""
    kickstart = plan().as_json()["kickstart"]
    assert isinstance(kickstart, dict)
    assert set(kickstart) == {field.name for field in dataclasses.fields(ImageConfig)} - {
        "source",
        "update_keys",
    }


def test_every_field_of_a_plan_is_in_its_json(plan: Plan) -> None:
    """A field that is added is part of the identity, too."""
    made = plan()
    other: dict[str, object] = {
        "config": dataclasses.replace(made.config, packages=Packages(install=("other",))),
        "profile": Profile.DEV,
        "media": ("pxe",),
        "version": "9.9.9",
        "architecture": "riscv64",
        "epoch": 12345,
        "repositories": (RepositoryState("x", "y"),),
        "keys": ("other",),
        "drivers": (DriverGroup("x", "y", ("z",)),),
        "rules": (),
        "size_budget": 7,
        "pxe_url": "http://other.invalid",
        "assembler": "lorax",
        "update_keys": (PublicKey("site", "12", "PEM"),),
    }
    for field in dataclasses.fields(ImagePlan):
        changed = dataclasses.replace(made, **{field.name: other[field.name]})  # type: ignore[arg-type]
        assert changed.id != made.id, field.name


def test_labels_fit_iso9660(plan: Plan) -> None:
    """A volume label has at most 32 characters of A-Z, 0-9 and what ISO 9660's tools let pass."""
    label = plan().label
    assert len(label) <= 32
    assert set(label) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


@pytest.mark.parametrize("value", ["abc", "", "-1", "1.5", " 1", str(LATEST_EPOCH + 1), "9" * 40])
def test_a_wrong_epoch_is_told(value: str, tmp_path: Path) -> None:
    """What is no whole number of seconds, or more than squashfs can hold, is refused with a hint."""
    with pytest.raises(InvalidInput, match="SOURCE_DATE_EPOCH is") as caught:
        find_epoch(tmp_path, {"SOURCE_DATE_EPOCH": value})
    assert "date" in caught.value.hint


def test_the_epoch_is_asked_for_or_the_commits(tmp_path: Path) -> None:
    """Without SOURCE_DATE_EPOCH the checkout's last commit dates the build, and its time stays."""
    assert find_epoch(tmp_path, {"SOURCE_DATE_EPOCH": "0"}) == 0
    assert find_epoch(tmp_path, {}) == find_epoch(Path("/"), {})


def test_problems_of_drivers_and_rules_come_together(tmp_path: Path) -> None:
    """One run reports every unknown group and every bad rule, before any repository is asked."""
    text = KICKSTART.replace("keep-drivers core", "keep-drivers cor netwrk")
    for name, content in {**FILES, "node.ks": text, "rules.tmpl": "bogus x\nremove\n"}.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(InvalidInput) as caught:
        check_kickstart(tmp_path / "node.ks")
    assert len(caught.value.problems) == 4
    with pytest.raises(InvalidInput, match="unknown driver group 'cor'"):
        make_plan(
            tmp_path / "node.ks", Options(out=tmp_path, sources=Sources(mirror="http://127.0.0.1:9/debian"))
        )


def test_code_counts_by_name_and_content(tmp_path: Path) -> None:
    """Another content or another name is another digest; compiled Python is none of it."""
    (tmp_path / "a.py").write_text("a")
    digests = [code_digest(tmp_path)]
    (tmp_path / "a.pyc").write_text("compiled")
    assert code_digest(tmp_path) == digests[0]
    (tmp_path / "a.py").write_text("b")
    digests.append(code_digest(tmp_path))
    (tmp_path / "a.py").rename(tmp_path / "c.py")
    digests.append(code_digest(tmp_path))
    assert len(set(digests)) == 3
    assert programs_digest() == programs_digest()


def test_every_base_knows_its_name() -> None:
    """The one table of bases is keyed by what a kickstart says."""
    assert {name: base.name for name, base in BASES.items()} == {name: name for name in BASES}


def test_scripts_differ_by_more_than_their_text(plan: Plan) -> None:
    """Where a script stands does not count; how it runs does."""
    made = plan()
    script = made.config.post_scripts[0]

    def with_script(changed: Script) -> str:
        return dataclasses.replace(made, config=dataclasses.replace(made.config, post_scripts=(changed,))).id

    moved = dataclasses.replace(script, origin=dataclasses.replace(script.origin, line=99))
    assert with_script(moved) == made.id
    assert with_script(dataclasses.replace(script, chroot=False)) != made.id
    assert with_script(dataclasses.replace(script, error_on_fail=True)) != made.id


@pytest.mark.parametrize(
    ("profile", "asked", "budget"),
    [
        (Profile.RELEASE, None, 120),
        (Profile.RELEASE, 7, 7),
        (Profile.DEV, None, None),
        (Profile.DEV, 7, 7),
    ],
)
def test_the_kickstarts_budget_is_of_a_release(
    profile: Profile, asked: int | None, budget: int | None, tmp_path: Path
) -> None:
    """Quick compression may be larger, unless the command line says how large."""
    config = ImageConfig(source=Path("node.ks"), base="debian", suite="trixie", size_budget=120)
    assert find_size_budget(config, Options(out=tmp_path, profile=profile, size_budget=asked)) == budget
