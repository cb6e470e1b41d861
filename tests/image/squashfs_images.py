"""Makes small squashfs images for tests, with the real mksquashfs and without root."""

import os
import random
from pathlib import Path

from nodelib.run import run


def make_tree(root: Path) -> Path:
    """Make a tree that has of everything: blocks, tails, twins, links, holes, empty and nested folders."""
    noise = random.Random(1)
    (root / "usr/lib/deep/er").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "usr/lib/big").write_bytes(noise.randbytes(300_000) + b"x" * 200_000)
    (root / "usr/lib/twin").write_bytes((root / "usr/lib/big").read_bytes())
    (root / "usr/lib/small").write_text("a few words\n" * 40)
    (root / "usr/lib/small-twin").write_text("a few words\n" * 40)
    (root / "usr/lib/nothing").touch()
    with (root / "usr/lib/hole").open("wb") as file:
        file.truncate(1_000_000)
    os.link(root / "usr/lib/big", root / "usr/lib/deep/link")
    (root / "lib").symlink_to("usr/lib")
    for number in range(400):
        (root / f"usr/lib/deep/er/{'n' * (number % 60)}{number}").write_bytes(noise.randbytes(number * 7))
    return root


def make_squashfs(tree: Path, image: Path, *options: str) -> Path:
    """Pack a tree, owned by root whoever runs this."""
    quiet = ["-noappend", "-no-progress", "-quiet", "-all-root", "-processors", "1"]
    run(["mksquashfs", tree, image, *quiet, *options])
    return image
