"""The output folder: one build at a time, and only whole artefacts in it."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from image.sums import write_sums
from image.workspace import LOCK_NAME, open_workspace, publish
from nodelib.errors import Code, VirtnodeError
from tests.image.trees import make_tree


def names(folder: Path) -> set[str]:
    """Name what a person sees in a folder."""
    return {path.name for path in folder.iterdir()} - {LOCK_NAME}


def test_the_folder_is_made_and_the_workspace_goes(tmp_path: Path) -> None:
    """While it lasts the workspace lies beside the artefacts, so that they move in one step."""
    out = tmp_path / "a/b"
    with open_workspace(out) as workspace:
        assert workspace.parent == out
        (workspace / "half").write_text("half")
    assert names(out) == set()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_workspace_goes_whatever_happens(tmp_path: Path, error: type[BaseException]) -> None:
    """A failure and an interruption leave nothing half done."""

    def build() -> None:
        with open_workspace(tmp_path) as workspace:
            (workspace / "half").write_text("half")
            raise error

    with pytest.raises(error):
        build()
    assert names(tmp_path) == set()


def test_a_second_build_is_told_to_wait(tmp_path: Path) -> None:
    """Another build in one folder is busy, and the first goes on."""
    with open_workspace(tmp_path) as workspace:
        with pytest.raises(VirtnodeError) as caught, open_workspace(tmp_path):
            pass
        assert workspace.is_dir()
    assert caught.value.code is Code.BUSY
    assert "--out" in caught.value.hint


def test_what_a_killed_build_left_goes(tmp_path: Path) -> None:
    """A workspace without a builder is removed by the next one; artefacts stay."""
    (tmp_path / ".building-old").mkdir()
    (tmp_path / ".building-old/half").touch()
    (tmp_path / "node.iso").write_text("old")
    with open_workspace(tmp_path):
        assert len(list(tmp_path.glob(".building-*"))) == 1
    assert names(tmp_path) == {"node.iso"}


def test_a_file_in_its_place_is_told(tmp_path: Path) -> None:
    """A file where the folder should be is an error with a hint and not a traceback."""
    (tmp_path / "out").write_text("a file")
    for path in (tmp_path / "out", tmp_path / "out/below"):
        with pytest.raises(VirtnodeError, match="nothing can be written to") as caught, open_workspace(path):
            pass
        assert "--out" in caught.value.hint


def make_finished(workspace: Path, text: str) -> Path:
    """Finish a file and a folder."""
    finished = workspace / "finished"
    (finished / "pxe").mkdir(parents=True)
    (finished / "pxe/vmlinuz").write_text(text)
    (finished / "node.iso").write_text(text)
    return finished


def test_finished_artefacts_replace_older_ones(tmp_path: Path) -> None:
    """Files and folders of the same name are replaced whole; others stay."""
    (tmp_path / "other.iso").write_text("other")
    for text in ("old", "new"):
        with open_workspace(tmp_path) as workspace:
            if text == "new":
                (tmp_path / "pxe/left-over").touch()
            published = publish(make_finished(workspace, text), tmp_path)
    assert [path.name for path in published] == ["node.iso", "pxe"]
    assert names(tmp_path) == {"node.iso", "other.iso", "pxe"}
    assert {path.name for path in (tmp_path / "pxe").iterdir()} == {"vmlinuz"}
    assert (tmp_path / "node.iso").read_text() == (tmp_path / "pxe/vmlinuz").read_text() == "new"


def test_an_interruption_waits_until_all_have_moved(tmp_path: Path) -> None:
    """Artefacts of two builds are never mixed: Ctrl-C comes before or after."""

    class Interrupting(type(tmp_path)):  # type: ignore[misc]
        """A path whose renaming is interrupted."""

        def rename(self, target: Path) -> Path:
            os.kill(os.getpid(), signal.SIGINT)
            return super().rename(target)  # type: ignore[no-any-return]

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), open_workspace(tmp_path) as workspace:
            publish(Interrupting(make_finished(workspace, "new")), tmp_path)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert names(tmp_path) == {"node.iso", "pxe"}


def test_what_an_earlier_build_left_keeps_its_sum(tmp_path: Path) -> None:
    """A build of fewer media leaves a folder that its sums still describe; a replaced folder goes whole."""
    finished, out = tmp_path / "work/finished", tmp_path / "out"
    make_tree(out, {"a.iso": "old", "pxe/vmlinuz": "old", "pxe/gone": "old", "manifest.json": "old"})
    write_sums(out)
    make_tree(finished, {"pxe/vmlinuz": "new", "manifest.json": "new"})
    write_sums(finished)
    publish(finished, out)
    assert subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=out).returncode == 0
    listed = [line.partition("  ")[2] for line in (out / "SHA256SUMS").read_text().splitlines()]
    assert listed == ["a.iso", "manifest.json", "pxe/vmlinuz"]
