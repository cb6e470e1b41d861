"""Stages as they are kept: made once, whole or not at all, and never taken from under a build."""

import fcntl
import os
import threading
from pathlib import Path

import pytest

from image.cache import KEPT, Cache
from nodelib.errors import VirtnodeError


def make_file(folder: Path) -> None:
    """Make a stage with one file."""
    (folder / "file").write_text("made")


def refuse(folder: Path) -> None:
    """Fail the test: the stage was to be found."""
    raise AssertionError(f"{folder} was made again")


def finished(folder: Path) -> set[str]:
    """Name the stages that are there."""
    return {path.name for path in folder.iterdir() if path.is_dir()}


def test_a_stage_is_made_once(tmp_path: Path) -> None:
    """The second time it is found, with what was made."""
    cache = Cache(tmp_path)
    with cache.stage("tree", "a" * 64, make_file) as (folder, found):
        assert not found
    with cache.stage("tree", "a" * 64, refuse) as (again, found):
        assert found
        assert (again / "file").read_text() == "made"
    assert again == folder


def test_another_key_is_another_stage(tmp_path: Path) -> None:
    """Neither another key nor another name finds it."""
    cache = Cache(tmp_path)
    with cache.stage("tree", "a" * 64, make_file):
        pass
    for name, key in (("tree", "b" * 64), ("kernel", "a" * 64)):
        with cache.stage(name, key, make_file) as (_, found):
            assert not found


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_what_did_not_finish_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    """A failure or an interruption leaves neither the stage nor a half of it."""

    def fail(folder: Path) -> None:
        make_file(folder)
        raise error

    with pytest.raises(error), Cache(tmp_path).stage("tree", "a" * 64, fail):
        pass
    assert finished(tmp_path / "tree") == set()


def test_what_a_killed_build_left_is_no_stage(tmp_path: Path) -> None:
    """A half is made anew, and one of another key goes."""
    home = tmp_path / "tree"
    for key in ("a", "b"):
        (home / f"{key * 32}.unfinished").mkdir(parents=True)
        (home / f"{key * 32}.unfinished/half").touch()
    with Cache(tmp_path).stage("tree", "a" * 64, make_file) as (folder, found):
        assert not found
        assert [path.name for path in folder.iterdir()] == ["file"]
    assert finished(home) == {"a" * 32}


def test_a_file_in_its_place_is_told(tmp_path: Path) -> None:
    """A file where the cache should be is an error with a hint and not a traceback."""
    (tmp_path / "cache").write_text("a file")
    with (
        pytest.raises(VirtnodeError, match="nothing can be kept in") as caught,
        Cache(tmp_path / "cache").stage("tree", "a" * 64, make_file),
    ):
        pass
    assert "--cache" in caught.value.hint


def test_few_are_kept_and_the_oldest_goes(tmp_path: Path) -> None:
    """The present stage and those used last before it stay."""
    cache = Cache(tmp_path)
    for number in range(KEPT + 1):
        with cache.stage("tree", str(number) * 64, make_file) as (folder, _):
            pass
        os.utime(folder, (number, number))
    with cache.stage("tree", "9" * 64, make_file):
        pass
    kept = {str(number) * 32 for number in (*range(2, KEPT + 1), 9)}
    assert finished(tmp_path / "tree") == kept
    assert {path.name for path in (tmp_path / "tree").glob("*.lock")} == {f"{name}.lock" for name in kept}


def test_a_stage_in_use_is_not_removed(tmp_path: Path) -> None:
    """However old it is, a stage stays while a build holds it."""
    cache = Cache(tmp_path)
    with cache.stage("tree", "0" * 64, make_file) as (held, _):
        os.utime(held, (0, 0))
        for number in range(1, KEPT + 3):
            with cache.stage("tree", str(number) * 64, make_file):
                pass
        assert (held / "file").exists()


def test_two_builds_wait_for_the_same_stage(tmp_path: Path) -> None:
    """Of two that want one stage, one makes it and the other finds it."""
    running = threading.Event()
    made: list[str] = []
    found_by: list[bool] = []

    def make_slowly(folder: Path) -> None:
        made.append(folder.name)
        running.set()
        make_file(folder)

    def build() -> None:
        with Cache(tmp_path).stage("tree", "a" * 64, make_slowly) as (folder, found):
            assert (folder / "file").exists()
            found_by.append(found)

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(made) == 1
    assert sorted(found_by) == [False, True, True, True]


def test_a_lock_whose_file_was_removed_is_taken_anew(tmp_path: Path) -> None:
    """Who waited on a lock that went with its stage does not work beside the next one."""
    home = tmp_path / "tree"
    home.mkdir()
    lock_path = home / f"{'a' * 32}.lock"
    inside: list[bool] = []

    def look(folder: Path) -> None:
        make_file(folder)
        with lock_path.open("w") as other:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                inside.append(True)

    def build() -> None:
        with Cache(tmp_path).stage("tree", "a" * 64, look):
            pass

    with lock_path.open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        waiting = threading.Thread(target=build)
        waiting.start()
        lock_path.unlink()
    waiting.join(30)
    assert inside == [True]
