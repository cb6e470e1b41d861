"""Python on the node: our own programs with their sources, the libraries below them as byte-code alone."""

import shutil
from pathlib import Path

from image.chroot import run_in_root

COMPILE = ("python3", "-I", "-B", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash")
"""All files of the image show one time, which byte-code must not check; the compiler itself leaves none.

One process compiles all, in order. Byte-code shows whether a name was in use elsewhere in the compiler's
process, so that two processes that share the work never do it twice alike: see
https://github.com/python/cpython/issues/78274
"""
AS_LIBRARY = ("-b", "-o2")
"""Beside the source, where Python finds it without one as well; without docstrings, which nobody reads."""


def compile_python(root: Path, directory: str) -> None:
    """Compile the modules below `directory` for the root's own Python, and keep their sources."""
    run_in_root(root, [*COMPILE, directory])


def compile_libraries(root: Path) -> dict[str, str]:
    """Put byte-code in the place of each library's sources; map the old paths to the new.

    Source and byte-code of one module are about as large when compressed, and Python runs either. What is
    lost is the text of a library's lines in a traceback.
    """
    renamed: dict[str, str] = {}
    for library in sorted(path for path in (root / "usr").glob("lib*/python3*") if not path.is_symlink()):
        renamed |= compile_library(root, library)
    return renamed


def compile_library(root: Path, library: Path) -> dict[str, str]:
    """Put byte-code in the place of the sources below one folder; map the old paths to the new."""
    renamed: dict[str, str] = {}
    for cache in library.rglob("__pycache__"):
        shutil.rmtree(cache)
    run_in_root(root, [*COMPILE, *AS_LIBRARY, f"/{library.relative_to(root)}"])
    for source in sorted(library.rglob("*.py")):
        source.unlink()
        renamed[f"/{source.relative_to(root)}"] = f"/{source.with_suffix('.pyc').relative_to(root)}"
    return renamed
