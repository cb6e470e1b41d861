"""Runs trim rules over a root tree, each command meaning what lorax means, and says what each one freed."""

import os
import shutil
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from image.bases import Package
from image.ownership import PackageIndex, compile_globs, index_packages
from image.rootpath import RootPaths
from image.template import Rule, load_template
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run

__all__ = ["Rule", "RuleResult", "TrimReport", "apply_trim", "load_template", "prune_empty_directories"]


@dataclass(frozen=True)
class RuleResult:
    """What one rule did: files removed, their bytes, and whatever is worth a warning."""

    rule: Rule
    files: int
    size: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class TrimReport:
    """What a run of rules did; `removed` holds the canonical path of every file that went."""

    rules: tuple[RuleResult, ...]
    removed: frozenset[str]

    @property
    def files(self) -> int:
        """Count the files removed by all rules."""
        return sum(result.files for result in self.rules)

    @property
    def size(self) -> int:
        """Add up the bytes removed by all rules."""
        return sum(result.size for result in self.rules)

    @property
    def warnings(self) -> list[str]:
        """List one line for each word of a rule that matched nothing: usually the distribution renamed it."""
        return [f"{result.rule.origin}: {text}" for result in self.rules for text in result.warnings]


def apply_trim(rules: Sequence[Rule], root: Path, packages: Sequence[Package]) -> TrimReport:
    """Run the rules in order; nothing outside `root` is touched, whatever symlinks say.

    As with lorax, a file goes although a second package owns it too, and directories stay behind.
    Raises VirtnodeError (failed) with file and line for a rule that could not be carried out.
    """
    paths = RootPaths(root)
    tree = _Tree(paths, index_packages(paths, packages))
    return TrimReport(tuple(tree.carry_out(rule) for rule in rules), frozenset(tree.removed))


def prune_empty_directories(root: Path, packages: Sequence[Package], report: TrimReport) -> int:
    """Remove directories below /usr that the trimming emptied, and return their number.

    A directory that a package ships empty stays, and so does all outside /usr: a daemon may expect it.
    """
    paths = RootPaths(root)
    shipped_empty = index_packages(paths, packages).empty_directories()
    pruned = 0
    for directory in sorted({path.rpartition("/")[0] for path in report.removed}, reverse=True):
        while directory.startswith("/usr/") and directory not in shipped_empty:
            try:
                Path(paths.host(directory)).rmdir()
            except FileNotFoundError:
                pass
            except OSError:
                break
            else:
                pruned += 1
            directory = directory.rpartition("/")[0]
    return pruned


class _Tree:
    """The tree under the rules' hands: what each rule has removed so far, and what it wants to say."""

    def __init__(self, paths: RootPaths, index: PackageIndex) -> None:
        self.removed: set[str] = set()
        self._paths = paths
        self._index = index
        self._size = 0
        self._warnings: list[str] = []
        self._tolerant = False

    def carry_out(self, rule: Rule) -> RuleResult:
        self._size, self._warnings, self._tolerant = 0, [], rule.tolerant
        removed_before = len(self.removed)
        try:
            _COMMANDS[rule.command](self, rule.arguments)
        except (OSError, VirtnodeError) as error:
            if not rule.tolerant:
                raise VirtnodeError(Code.FAILED, f"{rule.origin}: {rule}: {_first_line(error)}") from error
        warnings = () if rule.tolerant else tuple(f"{rule.command}: {text}" for text in self._warnings)
        return RuleResult(rule, len(self.removed) - removed_before, self._size, warnings)

    def removepkg(self, arguments: Sequence[str]) -> None:
        for glob in arguments:
            files = self._index.select(glob)
            if not files:
                self._warnings.append(f"no package {glob!r} with files is installed")
            self._remove_owned(files)

    def removefrom(self, arguments: Sequence[str]) -> None:
        files = self._index.select(arguments[0])
        if not files:
            self._warnings.append(f"no package {arguments[0]!r} with files is installed")
            return
        keeps = arguments[1] == "--allbut"
        globs = arguments[2 if keeps else 1 :]
        patterns = compile_globs(globs, self._paths)
        matched, used = set(), set()
        for path, spellings in files.items():
            hits = {glob for glob, pattern in patterns if any(map(pattern.match, spellings))}
            used |= hits
            if hits:
                matched.add(path)
        self._warnings += [f"{arguments[0]} has no file {glob!r}" for glob in globs if glob not in used]
        self._remove_owned(files.keys() - matched if keeps else matched)

    def removekmod(self, arguments: Sequence[str]) -> None:
        cut = arguments.index("--allbut") if "--allbut" in arguments else len(arguments)
        modules: set[str] = set()
        for glob in arguments[:cut]:
            found = {
                path
                for directory in self._paths.glob(f"/lib/modules/*/kernel/{glob}")
                for path in self._files_below(directory)
            }
            if not found:
                self._warnings.append(f"no directory of modules matches {glob!r}")
            modules |= found
        patterns = compile_globs([f"*{glob}*" for glob in arguments[cut + 1 :]], self._paths)
        for path in sorted(modules):
            if not any(pattern.match(path) for _, pattern in patterns):
                self._unlink(path)

    def remove(self, arguments: Sequence[str]) -> None:
        for glob in arguments:
            found = self._paths.glob(glob)
            if not (found or self._tolerant or self._was_there(glob)):
                self._warnings.append(f"nothing matches {glob!r}")
            for path in found:
                self._remove(path)

    def append(self, arguments: Sequence[str]) -> None:
        text = arguments[1].encode().decode("unicode_escape")
        with Path(self._paths.host(self._paths.resolve(arguments[0]))).open("a", encoding="utf-8") as file:
            file.write(text + "\n")

    def systemctl(self, arguments: Sequence[str]) -> None:
        for unit in arguments[1:]:
            argv = ["systemctl", "--root", self._paths.root, "--no-reload", arguments[0], unit]
            result = run(argv, check=False)
            if result.status != 0:
                self._warnings.append(
                    f"{arguments[0]} {unit}: {_first_line(result.stderr.strip() or 'refused')}"
                )
        self._paths.forget()

    def mkdir(self, arguments: Sequence[str]) -> None:
        for directory in arguments:
            Path(self._paths.host(self._paths.resolve(directory))).mkdir(parents=True, exist_ok=True)

    def move(self, arguments: Sequence[str]) -> None:
        source = self._paths.canonical(arguments[0])
        Path(self._paths.host(source)).rename(self._paths.host(self._destination(source, arguments[1])))
        self._paths.forget()

    def install(self, arguments: Sequence[str]) -> None:
        found = self._paths.glob(arguments[0])
        if not found:
            raise VirtnodeError(Code.NOT_FOUND, f"nothing matches {arguments[0]!r}")
        for path in found:
            source = self._paths.resolve(path)
            destination = self._paths.resolve(self._destination(path, arguments[1]))
            shutil.copy2(self._paths.host(source), self._paths.host(destination))

    def symlink(self, arguments: Sequence[str]) -> None:
        target, link = arguments
        for path in self._paths.glob(link):
            self._remove(path)
        self._paths.forget()
        Path(self._paths.host(self._paths.canonical(link))).symlink_to(target)
        self._paths.forget()

    def _destination(self, source: str, destination: str) -> str:
        if self._paths.is_directory(destination):
            return self._paths.resolve(destination).rstrip("/") + "/" + source.rpartition("/")[2]
        return self._paths.canonical(destination)

    def _was_there(self, glob: str) -> bool:
        """Tell whether a glob names what a package lists or an earlier rule removed."""
        canonical = self._paths.canonical("/" + glob)
        patterns = [pattern for _, pattern in compile_globs([canonical, canonical + "/*"], self._paths)]
        return any(pattern.match(path) for path in self._index.listed | self.removed for pattern in patterns)

    def _files_below(self, directory: str) -> Iterable[str]:
        for folder, _, names in os.walk(self._paths.host(directory)):
            yield from (f"{folder[len(self._paths.root) :]}/{name}" for name in names)

    def _remove_owned(self, files: Iterable[str]) -> None:
        for path in sorted(files):
            # A package's symlink to a directory stays, as lorax leaves whatever looks like a directory.
            if not self._paths.is_directory(path):
                self._unlink(path)

    def _remove(self, path: str) -> None:
        status = self._paths.status(path)
        if status is None or not stat.S_ISDIR(status.st_mode):
            self._unlink(path)
            return
        for file in list(self._files_below(path)):
            self._unlink(file)
        shutil.rmtree(self._paths.host(path))
        self._paths.forget()

    def _unlink(self, path: str) -> None:
        status = self._paths.status(path)
        if status is None:
            return
        is_link = stat.S_ISLNK(status.st_mode)
        led_to_directory = is_link and self._paths.is_directory(path)
        Path(self._paths.host(path)).unlink()
        self.removed.add(path)
        if led_to_directory:
            self._paths.forget()
        elif not is_link and status.st_nlink == 1:
            self._size += status.st_size


_COMMANDS: dict[str, Callable[[_Tree, Sequence[str]], None]] = {
    "append": _Tree.append,
    "install": _Tree.install,
    "mkdir": _Tree.mkdir,
    "move": _Tree.move,
    "remove": _Tree.remove,
    "removefrom": _Tree.removefrom,
    "removekmod": _Tree.removekmod,
    "removepkg": _Tree.removepkg,
    "symlink": _Tree.symlink,
    "systemctl": _Tree.systemctl,
}


def _first_line(problem: object) -> str:
    return str(problem).partition("\n")[0]
