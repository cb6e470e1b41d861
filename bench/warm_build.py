"""How long a person waits who changed the node's agent: `python -m bench.warm_build`, as root.

The change is made in a copy of the checkout. The first build fills the cache and does not count.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.figures import markdown_table, processor_seconds, read_load
from bench.machine import print_machine
from image.plan import CHECKOUT, Profile, find_epoch
from nodelib.run import run

STEP = re.compile(r"^\[ *[\d.]+ s\] (.+) \(([\d.]+) s\)$", re.M)
CHANGED = "nodeagent/__init__.py"
REST = "start, plan and publishing"


@dataclass(frozen=True)
class Build:
    """One build: seconds on the clock, of processors, and of each step."""

    clock: float
    processor: float
    steps: Mapping[str, float]
    load: float

    @property
    def rest(self) -> float:
        """What no step accounts for."""
        return self.clock - sum(self.steps.values())


def main() -> None:
    """Measure, and print the table."""
    arguments = parse_arguments()
    print_machine()
    with tempfile.TemporaryDirectory(prefix="virtnode-bench-", dir="/var/tmp") as folder:
        checkout, out = Path(folder, "checkout"), Path(folder, "out")
        copy_checkout(checkout)
        epoch = str(find_epoch(CHECKOUT / "kickstarts/node-debian.ks"))
        first = measure_build(checkout, out, arguments, epoch)
        print(f"first build, stages perhaps anew: {first.clock:.1f} s", flush=True)
        builds = []
        for number in range(1, arguments.rounds + 1):
            change_agent(checkout, number)
            builds.append(measure_build(checkout, out, arguments, epoch))
            print(f"round {number} (load {builds[-1].load:.1f}): {builds[-1].clock:.1f} s", flush=True)
    print(f"\n{steps_table(builds)}")


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.warm_build", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", type=Profile, choices=list(Profile), default=Profile.DEV)
    parser.add_argument("--cache", type=Path, default=Path("/var/cache/virtnode"), metavar="DIR")
    parser.add_argument("--media", default="", help="default: what a build makes when it is not told")
    return parser.parse_args()


def copy_checkout(destination: Path) -> None:
    """Copy the files that git knows, as they are in the working tree."""
    names = run(["git", "-C", CHECKOUT, "ls-files", "-z"]).stdout.split("\0")
    for name in filter(None, names):
        source, target = CHECKOUT / name, destination / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def change_agent(checkout: Path, number: int) -> None:
    """Make a change to the agent that no build has seen."""
    with (checkout / CHANGED).open("a") as module:
        module.write(f"# change {number} at {time.time_ns()}\n")


def build_argv(out: Path, arguments: argparse.Namespace) -> list[str]:
    """Build the command line of the build; its size is another measurement's business."""
    argv = [sys.executable, "-m", "image.main", "build", "kickstarts/node-debian.ks"]
    argv += ["--profile", str(arguments.profile), "--out", str(out), "--cache", str(arguments.cache)]
    return [*argv, "--size-budget", "1GB", *(["--media", arguments.media] if arguments.media else [])]


def measure_build(checkout: Path, out: Path, arguments: argparse.Namespace, epoch: str) -> Build:
    """Build as a person would, in a process of its own, and read what it says of its steps."""
    load, clock, processor = read_load(), time.monotonic(), processor_seconds()
    environment = {**os.environ, "SOURCE_DATE_EPOCH": epoch, "PYTHONPATH": str(checkout)}
    done = subprocess.run(
        build_argv(out, arguments), cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"the build failed:\n{done.stderr}")
    return Build(time.monotonic() - clock, processor_seconds() - processor, parse_steps(done.stderr), load)


def parse_steps(text: str) -> dict[str, float]:
    """Read the seconds of each step from what a build prints."""
    return {name: float(seconds) for name, seconds in STEP.findall(text)}


def steps_table(builds: Sequence[Build]) -> str:
    """Draw what each step took, as medians, and the whole."""
    rows = [
        [name, f"{median(build.steps[name] for build in builds):.1f}", ""]
        for name in builds[0].steps
        if all(name in build.steps for build in builds)
    ]
    rows.append([REST, f"{median(build.rest for build in builds):.1f}", ""])
    clock = f"{median(build.clock for build in builds):.1f}"
    rows.append(["whole", clock, f"{median(build.processor for build in builds):.1f}"])
    return markdown_table(["step", "seconds", "processor seconds"], rows)


if __name__ == "__main__":
    main()
