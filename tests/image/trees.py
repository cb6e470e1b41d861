"""Small root trees for tests, written from a mapping, and the packages that own them."""

from collections.abc import Mapping
from pathlib import Path

from image.bases import Package


def make_tree(root: Path, contents: Mapping[str, str]) -> Path:
    """Write a tree: `->TARGET` makes a symlink, a path that ends in `/` a directory, `#!` an executable."""
    for path, text in contents.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            file.mkdir(exist_ok=True)
        elif text.startswith("->"):
            file.symlink_to(text.removeprefix("->"))
        else:
            file.write_text(text)
            file.chmod(0o755 if text.startswith("#!") else 0o644)
    return root


def list_tree(root: Path) -> set[str]:
    """List all paths of a tree but for directories."""
    return {
        f"/{path.relative_to(root)}" for path in root.rglob("*") if path.is_symlink() or not path.is_dir()
    }


def package(name: str, *files: str) -> Package:
    """Make an installed package that lists these paths."""
    return Package(name, "1.0-1", "amd64", "GPL-2.0-or-later", f"{name} 1.0-1", files)
