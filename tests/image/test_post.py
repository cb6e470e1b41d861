"""%post sections: in the root and beside it, with their logs and their failures."""

import logging
from pathlib import Path

import pytest

from image.config import Origin, Script
from image.post import run_post_scripts
from nodelib.errors import Code, VirtnodeError
from tests.image.trees import make_tree

ORIGIN = Origin(Path("node.ks"), 7)


def outside(text: str, *, error_on_fail: bool = False, log: str = "") -> Script:
    """Make a script that runs beside the root."""
    return Script(ORIGIN, text, chroot=False, error_on_fail=error_on_fail, log=log)


def test_a_script_outside_finds_the_root(tmp_path: Path) -> None:
    """$INSTALL_ROOT names the root, and the log holds both outputs."""
    log = tmp_path / "logs/post.log"
    script = outside("echo said; echo warned >&2; touch $INSTALL_ROOT/touched\n", log=str(log))
    run_post_scripts([script], tmp_path)
    assert (tmp_path / "touched").exists()
    assert log.read_text() == "said\nwarned\n"


def test_scripts_run_in_order(tmp_path: Path) -> None:
    """Each sees what those before it did."""
    run_post_scripts([outside(f"echo {word} >> $INSTALL_ROOT/f") for word in ("a", "b", "c")], tmp_path)
    assert (tmp_path / "f").read_text() == "a\nb\nc\n"


def test_another_interpreter_may_have_words(tmp_path: Path) -> None:
    """--interpreter takes options, too."""
    script = Script(ORIGIN, "false\ntouch $INSTALL_ROOT/f", chroot=False, interpreter="/usr/bin/env sh -e")
    run_post_scripts([script], tmp_path)
    assert not (tmp_path / "f").exists()


def test_a_failure_warns_and_the_build_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without --erroronfail the warning names the place, the status and the last words."""
    with caplog.at_level(logging.WARNING):
        run_post_scripts([outside("echo broken >&2; exit 4"), outside("touch $INSTALL_ROOT/f")], tmp_path)
    assert caplog.messages == ["node.ks:7: %post ended with status 4: broken"]
    assert (tmp_path / "f").exists()


def test_a_failure_with_erroronfail_stops_the_build(tmp_path: Path) -> None:
    """The error says the same, and nothing after it runs."""
    scripts = [outside("exit 4", error_on_fail=True), outside("touch $INSTALL_ROOT/f")]
    with pytest.raises(VirtnodeError, match=r"node\.ks:7: %post ended with status 4$") as caught:
        run_post_scripts(scripts, tmp_path)
    assert caught.value.code is Code.FAILED
    assert "--erroronfail" in caught.value.hint
    assert not (tmp_path / "f").exists()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a root with this host's busybox, or skip."""
    busybox = Path("/bin/busybox") if Path("/bin/busybox").exists() else Path("/usr/bin/busybox")
    if not busybox.exists():
        pytest.skip("busybox is not installed")
    root = make_tree(
        tmp_path / "root", {"bin/": "", "proc/": "", "dev/": "", "run/": "", "tmp/": "", "root/": ""}
    )
    (root / "bin/busybox").write_bytes(busybox.read_bytes())
    (root / "bin/busybox").chmod(0o755)
    (root / "bin/sh").symlink_to("busybox")
    return root


@pytest.mark.integration
def test_a_script_inside_sees_the_root(root: Path) -> None:
    """Its paths are the root's, and its log stands there, too."""
    run_post_scripts([Script(ORIGIN, "echo said; echo x > /root/f\n", log="/root/logs/post.log")], root)
    assert (root / "root/f").read_text() == "x\n"
    assert (root / "root/logs/post.log").read_text() == "said\n"


@pytest.mark.integration
def test_a_log_behind_an_absolute_link_stays_inside(root: Path, tmp_path: Path) -> None:
    """/var/log may be a link as the node sees it; the host's own folder is not written."""
    outer = tmp_path / "outer"
    outer.mkdir()
    (root / "var").mkdir()
    (root / "var/log").symlink_to(outer)
    run_post_scripts([Script(ORIGIN, "echo said\n", log="/var/log/post.log")], root)
    assert list(outer.iterdir()) == []
    assert (root / str(outer).lstrip("/") / "post.log").read_text() == "said\n"


@pytest.mark.integration
def test_a_missing_interpreter_is_told(root: Path) -> None:
    """The error names the interpreter that the root lacks."""
    script = Script(ORIGIN, "print(1)", interpreter="/usr/bin/python9", error_on_fail=True)
    with pytest.raises(VirtnodeError, match=r"node\.ks:7: %post ended.*python9"):
        run_post_scripts([script], root)
