"""What of Python is left on a node."""

from pathlib import Path

import pytest

from image.bytecode import compile_libraries
from image.chroot import run_in_root
from image.tree import copy_tree

MODULES = "asyncio, cryptography.x509, dbus, json, libvirt, ssl, tomllib, urllib.request"


@pytest.mark.integration
def test_libraries_run_without_their_sources(node_tree: Path, tmp_path: Path) -> None:
    """Everything the agent imports still works, and each path that changed is told."""
    root = tmp_path / "root"
    copy_tree(node_tree, root)
    before = list((root / "usr").glob("lib/python3*/**/*.py"))
    renamed = compile_libraries(root)
    assert len(renamed) == len(before) > 500
    assert not any((root / old.lstrip("/")).exists() for old in renamed)
    assert all((root / new.lstrip("/")).is_file() for new in renamed.values())
    assert not list((root / "usr").glob("lib/python3*/**/__pycache__"))
    said = run_in_root(root, ["python3", "-I", "-c", f"import {MODULES}; print(json.__file__)"]).stdout
    assert said.strip().endswith("/json/__init__.pyc")
