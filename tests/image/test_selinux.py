"""SELinux labels: the command, the root's own tool, and labels that reach the squashfs."""

import os
import re
import shutil
from pathlib import Path

import pytest

from image.plan import Profile
from image.selinux import FILE_CONTEXTS, SETFILES, label_root, setfiles_argv
from image.squashfs import make_squashfs
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run
from tests.image.trees import list_tree, make_tree

LABEL = "security.selinux"
CONTEXTS = """\
/.*	system_u:object_r:default_t:s0
/etc(/.*)?	system_u:object_r:etc_t:s0
/usr/bin(/.*)?	system_u:object_r:bin_t:s0
/run	-d	system_u:object_r:var_run_t:s0
/proc	-d	<<none>>
"""
RECORDER = f"""\
#!/bin/sh
echo "$0 $*" > /etc/called
ls -A /run/tree > /etc/seen
test -r {FILE_CONTEXTS}
"""


def add_program(root: Path, name: str, path: str) -> None:
    """Copy a program of this host into a root, with the libraries that it loads."""
    program = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert program is not None
    libraries = re.findall(r"(/\S+)\s\(0x", run(["ldd", program]).stdout)
    for source, target in [(program, path), *((library, library) for library in libraries)]:
        (root / target.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, root / target.lstrip("/"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a root with a policy of a few lines."""
    contents = {FILE_CONTEXTS: CONTEXTS, "etc/hosts": "x", "usr/bin/tool": "x", "home/file": "x"}
    return make_tree(tmp_path / "root", {**contents, "proc/": "", "dev/": "", "run/": "", "tmp/": ""})


def read_label(path: Path) -> str:
    """Read a file's label."""
    return os.getxattr(path, LABEL, follow_symlinks=False).decode().rstrip("\0")


def require_labels(folder: Path) -> None:
    """Skip the test where the kernel or the file system takes no label."""
    probe = folder / "probe"
    probe.touch()
    try:
        os.setxattr(probe, LABEL, b"system_u:object_r:default_t:s0\0")
    except OSError as error:
        pytest.skip(f"{folder} takes no {LABEL}: {error.strerror}")


def test_the_command_line_is_as_meant() -> None:
    """The whole tree, forced, by the targeted policy's contexts, as seen below another root."""
    contexts = "/etc/selinux/targeted/contexts/files/file_contexts"
    assert setfiles_argv() == [SETFILES, "-m", "-F", "-r", "/run/tree", contexts, "/run/tree"]


def test_a_root_without_a_policy_is_left_alone(tmp_path: Path) -> None:
    """Debian's node has none: nothing is run."""
    make_tree(tmp_path, {"usr/sbin/setfiles": "#!/bin/false\n"})
    label_root(tmp_path)
    assert list_tree(tmp_path) == {"/usr/sbin/setfiles"}


def test_a_policy_without_its_tool_is_an_error(root: Path) -> None:
    """A node that would start without labels is not built."""
    with pytest.raises(VirtnodeError, match="no setfiles") as caught:
        label_root(root)
    assert caught.value.code is Code.NOT_FOUND
    assert "policycoreutils" in caught.value.hint


@pytest.mark.integration
def test_the_roots_own_tool_sees_the_root_as_it_will_be(root: Path) -> None:
    """The tool inside the root is called, with the tree beside it that nothing is mounted over."""
    for name in ("sh", "ls", "test"):
        add_program(root, name, f"/bin/{name}")
    make_tree(root, {SETFILES: RECORDER, "proc/marker": ""})
    label_root(root)
    assert (root / "etc/called").read_text().split() == setfiles_argv()
    assert {"proc", "run", "usr", "etc"} <= set((root / "etc/seen").read_text().split())
    assert not (root / "run/tree").exists()


@pytest.mark.integration
def test_a_failing_tool_fails_the_build(root: Path) -> None:
    """A tree labelled by half is no tree."""
    add_program(root, "false", SETFILES)
    with pytest.raises(VirtnodeError, match="ended with status 1"):
        label_root(root)


@pytest.mark.integration
@pytest.mark.skipif(shutil.which("setfiles") is None, reason="policycoreutils is not installed here")
def test_the_real_setfiles_labels_every_file(root: Path) -> None:
    """Each path has its context on any host, what is mounted over while the tool runs included."""
    require_labels(root)
    add_program(root, "setfiles", SETFILES)
    (root / "etc/link").symlink_to("hosts")
    label_root(root)
    types = {
        name: read_label(root / name).split(":")[2] for name in ("etc/hosts", "etc/link", "usr/bin/tool")
    }
    assert types == {"etc/hosts": "etc_t", "etc/link": "etc_t", "usr/bin/tool": "bin_t"}
    assert read_label(root / "run") == "system_u:object_r:var_run_t:s0"
    assert read_label(root / "home/file") == read_label(root) == "system_u:object_r:default_t:s0"


@pytest.mark.integration
@pytest.mark.parametrize("profile", list(Profile))
def test_labels_reach_the_squashfs(profile: Profile, root: Path, tmp_path: Path) -> None:
    """What the node mounts carries the labels of the tree it was made from."""
    require_labels(root)
    os.setxattr(root / "usr/bin/tool", LABEL, b"system_u:object_r:bin_t:s0\0")
    make_squashfs(root, tmp_path / "image", profile, 0)
    run(["unsquashfs", "-no-progress", "-quiet", "-d", tmp_path / "unpacked", tmp_path / "image"])
    assert read_label(tmp_path / "unpacked/usr/bin/tool") == "system_u:object_r:bin_t:s0"
