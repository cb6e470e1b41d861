"""SHA256SUMS as the real sha256sum reads it."""

from pathlib import Path

from image.sums import Artefact, measure_artefacts, write_sums
from nodelib.run import run


def test_sums_pass_the_real_check(tmp_path: Path) -> None:
    """All files, those of subfolders included, are listed in order and pass `sha256sum -c`."""
    (tmp_path / "pxe").mkdir()
    for name in ("node.iso", "pxe/vmlinuz", "manifest.json", "build.log", ".lock", "SHA256SUMS.sig"):
        (tmp_path / name).write_text(name)
    sums = write_sums(tmp_path)
    assert [line.split("  ")[1] for line in sums.read_text().splitlines()] == [
        "manifest.json",
        "node.iso",
        "pxe/vmlinuz",
    ]
    run(["sha256sum", "--check", "--strict", sums.name], cwd=tmp_path)
    assert write_sums(tmp_path).read_text() == sums.read_text()


def test_artefacts_are_measured(tmp_path: Path) -> None:
    """An artefact has its path, bytes and digest."""
    (tmp_path / "a").write_text("abc")
    assert measure_artefacts(tmp_path) == (
        Artefact("a", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    )
