"""A root tree and its squashfs from nothing but downloaded packages, ours and mkosi's by turns.

`python -m bench.cold_build --mkosi PATH`, as root: PATH is mkosi or a checkout of it.
"""

import argparse
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import (
    Stopwatch,
    Taken,
    markdown_table,
    pairwise_ratios,
    ratio_line,
    read_load,
    taken_cells,
)
from bench.machine import print_machine
from bench.mkosi import Mkosi, find_program
from image.bases import Package, Sources
from image.bases.debian import Debian
from image.plan import CHECKOUT, ImagePlan, Options, Profile, make_plan
from image.programs import install_programs
from image.squashfs import make_squashfs
from image.tree import CARRIED_DRIVERS, borrow_tree, make_tree_stage, write_package_list

KICKSTART = CHECKOUT / "kickstarts/node-debian.ks"

INSTALL, SHAPE, SQUASHFS = "packages", "settings, trimming, programs", "squashfs"
WHOLE_SQUASHFS = "squashfs of the untrimmed tree"
THEIR_TREE, THEIR_SQUASHFS = "tree", "squashfs"


@dataclass(frozen=True)
class Round:
    """One build of each, one after the other."""

    ours: Mapping[str, Taken]
    theirs: Mapping[str, Taken]
    load: float
    """The machine's load when the round began."""

    @property
    def our_image(self) -> Taken:
        """The finished, trimmed root and its squashfs."""
        return self.ours[INSTALL] + self.ours[SHAPE] + self.ours[SQUASHFS]

    @property
    def our_like(self) -> Taken:
        """What mkosi does, too: the packages and a squashfs of all they bring."""
        return self.ours[INSTALL] + self.ours[WHOLE_SQUASHFS]

    @property
    def their_image(self) -> Taken:
        """The tree and its squashfs."""
        return self.theirs[THEIR_TREE] + self.theirs[THEIR_SQUASHFS]


def main() -> None:
    """Measure, and print the tables."""
    arguments = parse_arguments()
    os.umask(0o022)
    print_machine()
    arguments.work.mkdir(parents=True, exist_ok=True)
    sources = Sources(cache=arguments.work / "ours/cache")
    plan = make_plan(KICKSTART, Options(out=arguments.work, profile=arguments.profile, sources=sources))
    mkosi = Mkosi(find_program(arguments.mkosi), arguments.work / "mkosi", arguments.work)
    mkosi.configure(plan.config)
    if not (any(sources.cache.rglob("*.deb")) and mkosi.has_packages):
        print("downloading packages, in a round that does not count", flush=True)
        measure_round(plan, sources, mkosi, arguments.work / f"round-{os.getpid()}-0")
    rounds = []
    for number in range(1, arguments.rounds + 1):
        folder = arguments.work / f"round-{os.getpid()}-{number}"
        rounds.append(measure_round(plan, sources, mkosi, folder))
        print(round_line(number, rounds[-1]), flush=True)
    print(f"\n{mkosi.version()}; compression: {plan.profile}; {compare_packages(folder, mkosi)}\n")
    print(steps_table(rounds))
    print("\n" + "\n".join(ratio_lines(rounds)))
    for folder in arguments.work.glob("round-*"):
        shutil.rmtree(folder)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.cold_build", description=__doc__)
    parser.add_argument("--mkosi", type=Path, required=True, help="the program, or a checkout of it")
    parser.add_argument("--work", type=Path, default=Path("/var/tmp/virtnode-bench"), metavar="DIR")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", type=Profile, choices=list(Profile), default=Profile.DEV)
    return parser.parse_args()


def measure_round(plan: ImagePlan, sources: Sources, mkosi: Mkosi, folder: Path) -> Round:
    """Build ours, then mkosi's, in new folders, each with nothing waiting for the disk.

    Nothing is deleted before the last round is over: for a minute after thousands of files went, ext4 looks
    at each of their inodes again before it gives one out, which takes an installer several seconds.
    """
    load = read_load()
    ours = measure_ours(plan, sources, folder / "ours")
    theirs = measure_mkosi(plan, mkosi.into(folder / "mkosi"))
    return Round(ours, theirs, load)


def measure_ours(plan: ImagePlan, sources: Sources, folder: Path) -> Mapping[str, Taken]:
    """Make the root tree as a build does, but for what boots it, and its squashfs."""
    installed, kernel, tree = (folder / name for name in ("installed", "kernel", "tree"))
    for made in (installed / "root", kernel, tree):
        made.mkdir(parents=True)
    (kernel / CARRIED_DRIVERS).write_text(json.dumps([]))
    os.sync()
    watch = Stopwatch()
    with watch.piece(INSTALL):
        plan.base.install(plan.config, sources, installed / "root", lambda line: None)
        write_package_list(plan.base.list_packages(installed / "root"), installed)
    with watch.piece(SHAPE):
        make_tree_stage(plan, installed, kernel, tree)
        borrow_tree(tree / "root", folder / "root")
        install_programs(folder / "root", sources.cache / "wheels")
    with watch.piece(SQUASHFS):
        make_squashfs(folder / "root", folder / "rootfs.squashfs", plan.profile, plan.epoch)
    with watch.piece(WHOLE_SQUASHFS):
        make_squashfs(installed / "root", folder / "whole.squashfs", plan.profile, plan.epoch)
    return watch.taken


def measure_mkosi(plan: ImagePlan, mkosi: Mkosi) -> Mapping[str, Taken]:
    """Make mkosi's tree, and a squashfs of it with the very command that makes ours."""
    os.sync()
    watch = Stopwatch()
    with watch.piece(THEIR_TREE):
        mkosi.make_tree()
    with watch.piece(THEIR_SQUASHFS):
        make_squashfs(mkosi.root, mkosi.output / "rootfs.squashfs", plan.profile, plan.epoch)
    return watch.taken


def compare_packages(folder: Path, mkosi: Mkosi) -> str:
    """Say how many packages both trees have, and which only one has."""
    roots = (folder / "ours/installed/root", mkosi.into(folder / "mkosi").root)
    ours, theirs = (Debian().list_packages(root) for root in roots)
    return packages_line(versions(ours), versions(theirs))


def versions(packages: Sequence[Package]) -> set[str]:
    """Name packages with their versions."""
    return {f"{package.name} {package.version}" for package in packages}


def packages_line(ours: set[str], theirs: set[str]) -> str:
    """Say what two sets of packages have in common, and what not."""
    only = [
        f"only {who}: {', '.join(sorted(names))}"
        for who, names in (("ours", ours - theirs), ("mkosi's", theirs - ours))
        if names
    ]
    return "; ".join([f"{len(ours & theirs)} packages in both", *only])


def round_line(number: int, taken: Round) -> str:
    """Say how one round went."""
    return (
        f"round {number} (load {taken.load:.1f}): ours {taken.our_image.clock:.1f} s, "
        f"like for like {taken.our_like.clock:.1f} s, mkosi {taken.their_image.clock:.1f} s"
    )


def steps_table(rounds: Sequence[Round]) -> str:
    """Draw what each step took, as medians."""
    rows = [
        [f"ours: {name}", *taken_cells([taken.ours[name] for taken in rounds])]
        for name in (INSTALL, SHAPE, SQUASHFS, WHOLE_SQUASHFS)
    ]
    rows += [
        [f"mkosi: {name}", *taken_cells([taken.theirs[name] for taken in rounds])]
        for name in (THEIR_TREE, THEIR_SQUASHFS)
    ]
    rows.append(["ours: all, trimmed", *taken_cells([taken.our_image for taken in rounds])])
    rows.append(["ours: all, like for like", *taken_cells([taken.our_like for taken in rounds])])
    rows.append(["mkosi: all", *taken_cells([taken.their_image for taken in rounds])])
    return markdown_table(["step", "seconds", "processor seconds"], rows)


def ratio_lines(rounds: Sequence[Round]) -> list[str]:
    """Say ours by mkosi's, each round's pair for itself: on the clock and of processors."""
    theirs = [taken.their_image for taken in rounds]
    pairs = (
        ("trimmed root and squashfs", [taken.our_image for taken in rounds]),
        ("like for like, nothing trimmed", [taken.our_like for taken in rounds]),
    )
    lines = []
    for name, ours in pairs:
        clock = pairwise_ratios([one.clock for one in ours], [one.clock for one in theirs])
        processor = pairwise_ratios([one.processor for one in ours], [one.processor for one in theirs])
        lines += [ratio_line(f"{name}, seconds", clock), ratio_line(f"{name}, processor seconds", processor)]
    return lines


if __name__ == "__main__":
    main()
