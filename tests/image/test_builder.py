"""What stands before a build, and what each stage's key depends on."""

import ast
import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from image.bases import Package, RepositoryState, Sources
from image.builder import (
    INSTALLER_CODE,
    STAGES_CODE,
    check_budget,
    check_signing,
    check_tools,
    describe_release,
    installer_key,
    overlay_paths,
    stages_key,
    update_notes,
)
from image.config import ImageConfig, Packages, PublicKey, Repository, Selinux
from image.drivers import DriverGroup
from image.media.table import MEDIA_MAKERS
from image.plan import CODE, DEFAULT_MEDIA, MEDIA, ImagePlan, Options, Profile
from nodeagent.intent import VERSION
from nodelib.errors import Code, VirtnodeError
from tests.image.keys import make_keys

PLAN = ImagePlan(
    config=ImageConfig(
        source=Path("/a/node.ks"), base="debian", suite="trixie", packages=Packages(("systemd",))
    ),
    profile=Profile.DEV,
    media=("iso",),
    version="0.1.0",
    architecture="x86_64",
    epoch=1,
    repositories=(RepositoryState("trixie", "1234"),),
    keys=("k1",),
    drivers=(DriverGroup("core", "because", ("a",)),),
    rules=(),
    size_budget=1000,
    pxe_url="",
)
Change = Callable[[ImagePlan], ImagePlan]


def of_config(**changes: object) -> Change:
    """Change the configuration of a plan."""
    return lambda plan: dataclasses.replace(
        plan,
        config=dataclasses.replace(plan.config, **changes),  # type: ignore[arg-type]
    )


def of_plan(**changes: object) -> Change:
    """Change a plan."""
    return lambda plan: dataclasses.replace(plan, **changes)  # type: ignore[arg-type]


INSTALLED: dict[str, Change] = {
    "the suite": of_config(suite="forky"),
    "the base": of_config(base="fedora"),
    "a package": of_config(packages=Packages(("systemd", "udev"))),
    "an option of packages": of_config(packages=Packages(("systemd",), exclude_docs=True)),
    "translations": of_config(packages=Packages(("systemd",), languages=())),
    "the main repository": of_config(url=Repository("", baseurl="http://a.invalid")),
    "another repository": of_config(repositories=(Repository("x", baseurl="http://a.invalid"),)),
    "what a repository offers": of_plan(repositories=(RepositoryState("trixie", "5678"),)),
    "the content of a key": of_plan(keys=("k2",)),
}
LATER: dict[str, Change] = {
    "the host name": of_config(hostname="node1"),
    "SELinux": of_config(selinux=Selinux.DISABLED),
    "the time of all files": of_plan(epoch=2),
    "drivers": of_plan(drivers=()),
    "the assembler": of_plan(assembler="lorax"),
    "the profile": of_plan(profile=Profile.RELEASE),
    "the version": of_plan(version="0.2.0"),
}


@pytest.mark.parametrize("change", INSTALLED)
def test_what_is_installed_changes_every_key(change: str) -> None:
    """A stage of packages is found again for the same packages only."""
    changed = INSTALLED[change](PLAN)
    assert installer_key(changed) != installer_key(PLAN)
    assert stages_key(changed) != stages_key(PLAN)


@pytest.mark.parametrize("change", LATER)
def test_what_comes_later_changes_the_later_keys(change: str) -> None:
    """Packages are not installed anew for a setting, and the tree is made anew."""
    changed = LATER[change](PLAN)
    assert installer_key(changed) == installer_key(PLAN)
    assert stages_key(changed) != stages_key(PLAN)


SHOWN_LATE: list[dict[str, object]] = [
    {"media": ("pxe",)},
    {"size_budget": 7},
    {"pxe_url": "http://a.invalid"},
    {"update_keys": (PublicKey("site", "12", "PEM"),)},
]


@pytest.mark.parametrize("change", SHOWN_LATE)
def test_what_only_media_show_makes_no_tree_anew(change: dict[str, object]) -> None:
    """Another choice of media or of keys works with the same tree."""
    assert stages_key(of_plan(**change)(PLAN)) == stages_key(PLAN)


def test_the_place_of_a_kickstart_changes_no_key() -> None:
    """The same kickstart elsewhere finds the same stages."""
    moved = of_config(source=Path("/b/node.ks"), gpg_keys=("/b/key.gpg",))(PLAN)
    stayed = of_config(gpg_keys=("/a/key.gpg",))(PLAN)
    assert installer_key(moved) == installer_key(stayed)
    assert stages_key(moved) == stages_key(stayed)


def imported_modules(path: Path) -> set[str]:
    """Name the modules of this package that a source file imports."""
    nodes = ast.walk(ast.parse(path.read_text()))
    names = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name for name in names if name.split(".")[0] == "image"}


def source_of(module: str) -> Path:
    """Find a module's source."""
    path = CODE.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def reachable(start: set[Path]) -> set[Path]:
    """Follow imports within the package from some files to all that they need."""
    seen: set[Path] = set()
    todo = set(start)
    while todo:
        path = todo.pop()
        seen.add(path)
        todo |= {source_of(name) for name in imported_modules(path)} - seen
    return seen


@pytest.mark.parametrize(
    ("patterns", "start"),
    [(INSTALLER_CODE, ("bases/debian.py", "bases/fedora.py")), (STAGES_CODE, ("tree.py",))],
)
def test_all_code_that_makes_a_stage_is_in_its_key(patterns: tuple[str, ...], start: tuple[str, ...]) -> None:
    """Whatever the stage's code imports is digested with it: a change makes the stage anew."""
    digested = {path for pattern in patterns for path in CODE.glob(pattern)}
    missing = reachable({CODE / name for name in start}) - digested
    assert missing == set()


def test_a_stage_names_no_build() -> None:
    """What any line of code changes is written after the stages: a kept one would tell an old name."""
    for name in ("tree.py", "configure.py", "initramfs.py"):
        tree = ast.parse((CODE / name).read_text())
        for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
            uses = {
                f"{n.value.id}.{n.attr}"
                for n in ast.walk(function)
                if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)
            }
            if uses & {"plan.id", "plan.build_id", "plan.label"}:
                assert function.name == "write_build_id"


def test_missing_tools_are_told_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One error names all of them, with what each is for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(VirtnodeError, match=r"lacks bwrap .*mksquashfs \(it compresses the root\)") as caught:
        check_tools(PLAN)
    assert caught.value.code is Code.UNAVAILABLE
    assert "mmdebstrap" in caught.value.message
    assert "doctor" in caught.value.hint


def test_lorax_is_looked_for_where_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host without it is told so before anything is installed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(VirtnodeError, match="lorax is not installed"):
        check_tools(dataclasses.replace(PLAN, assembler="lorax"))


def test_every_assembler_makes_every_medium() -> None:
    """Whoever is chosen, the same media can be asked for."""
    for makers in MEDIA_MAKERS.values():
        assert tuple(makers) == MEDIA


def test_keys_that_sign_nothing_are_told_before_any_work(tmp_path: Path) -> None:
    """A signature without a bundle, or a file that is no key, would be noticed too late."""
    key, public = make_keys(tmp_path, "site")
    bundle = dataclasses.replace(PLAN, media=("update",))
    check_signing(bundle, Options(tmp_path, sign_keys=(key,)))
    check_signing(PLAN, Options(tmp_path))
    for plan, given, said in ((PLAN, key, "none is built"), (bundle, public, "is no private key")):
        with pytest.raises(VirtnodeError, match=said) as caught:
            check_signing(plan, Options(tmp_path, sign_keys=(given,)))
        assert caught.value.code is Code.INVALID
        assert caught.value.hint


def test_a_build_says_why_nodes_would_refuse_a_bundle(tmp_path: Path) -> None:
    """Unsigned, or without a key for the one after it; nothing is said where there is no bundle."""
    key = PublicKey("site", "12", "PEM")
    bundle = dataclasses.replace(PLAN, media=("iso", "update"))
    signed = Options(tmp_path, sign_keys=(tmp_path / "key",))
    assert update_notes(PLAN, Options(tmp_path)) == []
    assert [note.split(",")[0] for note in update_notes(bundle, Options(tmp_path))] == [
        "note: the update bundle is not signed",
        "note: this image trusts no update key",
    ]
    assert update_notes(dataclasses.replace(bundle, update_keys=(key,)), signed) == []


def test_an_update_bundle_is_made_on_demand() -> None:
    """It has the size of an ISO, and no new machine starts from it."""
    assert set(MEDIA) - set(DEFAULT_MEDIA) == {"update"}
    assert Options(Path("out")).media == DEFAULT_MEDIA


def test_a_release_is_named_as_the_root_is(tmp_path: Path) -> None:
    """The distribution's words of os-release, the agent's own version of node.toml."""
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/os-release").write_text('NAME="Debian GNU/Linux"\nVERSION_ID="13"\n')
    release = describe_release(PLAN, tmp_path, [Package("a", "1", "all", "MIT", "a 1", ())])
    assert (release.system, release.build_id) == ("Debian GNU/Linux 13", PLAN.id[:16])
    assert (release.packages, release.intent_version) == ({"a": "1"}, VERSION)


def test_an_iso_over_its_budget_is_refused(tmp_path: Path) -> None:
    """The error has both sizes; as large as the budget is within it."""
    iso = tmp_path / f"{PLAN.name}.iso"
    iso.write_bytes(bytes(1000))
    check_budget(PLAN, tmp_path)
    iso.write_bytes(bytes(1001))
    check_budget(dataclasses.replace(PLAN, size_budget=None), tmp_path)
    with pytest.raises(VirtnodeError, match="its budget is") as caught:
        check_budget(PLAN, tmp_path)
    assert "why-size" in caught.value.hint


def test_without_an_iso_there_is_no_budget(tmp_path: Path) -> None:
    """The bound is the ISO's."""
    check_budget(PLAN, tmp_path)


def test_the_overlay_is_listed_as_the_node_sees_it() -> None:
    """Each file laid over the root is accounted for."""
    assert "/usr/lib/systemd/system-preset/00-virtnode.preset" in overlay_paths()


def test_sources_default_to_the_hosts() -> None:
    """Without --mirror nothing is replaced."""
    assert Sources().mirror == ""
