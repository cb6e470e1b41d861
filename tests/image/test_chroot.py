"""Programs inside a root: the command line, and what bwrap makes of it."""

from pathlib import Path

import pytest

from image.chroot import chroot_argv, run_in_root
from nodelib.errors import VirtnodeError
from tests.image.trees import make_tree

MOUNTS = Path("/proc/self/mountinfo")


def test_the_command_line_is_as_meant() -> None:
    """Own mounts, an empty environment, the given binds and variables, and the program last."""
    argv = chroot_argv(Path("/r"), ["a", "b"], binds=[(Path("/h"), "/run/h")], environment=[("K", "v")])
    assert argv[:4] == ["bwrap", "--bind", "/r", "/"]
    assert argv[-3:] == ["--", "a", "b"]
    text = " ".join(argv)
    assert "--bind /h /run/h" in text
    assert "--clearenv" in text
    assert "--setenv K v" in text
    assert "--die-with-parent" in text


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a root out of this host's own programs, by binding them where a test needs them."""
    return make_tree(
        tmp_path / "root", {"proc/": "", "dev/": "", "run/": "", "tmp/": "", "etc/marker": "inside\n"}
    )


HOST = [(Path(name), name) for name in ("/usr", "/lib", "/lib64", "/bin") if Path(name).exists()]


@pytest.mark.integration
def test_a_program_sees_the_root_alone(root: Path) -> None:
    """Inside is the tree and nothing of the host's /etc, /run or environment."""
    for name in ("usr", "lib", "lib64", "bin"):
        (root / name).mkdir()
    result = run_in_root(root, ["sh", "-c", "cat /etc/marker; ls -A /run /tmp; env; id -u"], binds=HOST)
    lines = result.stdout.splitlines()
    assert lines[0] == "inside"
    assert lines[-1] == "0"
    names = {line.partition("=")[0] for line in lines if "=" in line}
    assert names <= {"PATH", "LC_ALL", "PWD", "SHLVL", "_", "OLDPWD"}


@pytest.mark.integration
def test_what_is_bound_can_be_written(root: Path, tmp_path: Path) -> None:
    """A bind carries results out, and standard input goes in."""
    for name in ("usr", "lib", "lib64", "bin"):
        (root / name).mkdir()
    out = tmp_path / "out"
    out.mkdir()
    run_in_root(root, ["sh", "-c", "cat > /run/out/file"], binds=[*HOST, (out, "/run/out")], stdin="text")
    assert (out / "file").read_text() == "text"


@pytest.mark.integration
def test_no_mount_is_left(root: Path) -> None:
    """Whether the program succeeds, fails or is missing, the host's mounts are as before."""
    before = MOUNTS.read_text()
    for argv in (["true"], ["false"], ["no-such-program"]):
        run_in_root(root, argv, check=False)
    assert MOUNTS.read_text() == before


@pytest.mark.integration
def test_a_missing_program_is_an_error(root: Path) -> None:
    """The message names what could not be run."""
    with pytest.raises(VirtnodeError, match="no-such-program"):
        run_in_root(root, ["no-such-program"])
