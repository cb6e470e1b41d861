"""How long it takes to customise an ISO, beside a remaster by xorriso: `python -m bench.customize ISO`.

Both start from the same file, put the same configuration into it, and write a copy, in turn. The remaster is
what one would do otherwise: xorriso loads the ISO, replaces one file and the menu, and writes all of it.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Stopwatch, Taken, markdown_table, pairwise_ratios, ratio_line
from bench.machine import print_machine
from image.custom_places import find_form, find_places
from image.media.areas import ISO_ARGUMENTS, MENU_VARIABLE, pack_arguments
from image.plan import CHECKOUT
from nodelib.config_area import AREA_FILE, ConfigArea, pack_area
from nodelib.errors import VirtnodeError
from nodelib.run import run

PIECES = ("customize, a copy", "customize, in place", "the copy alone", "xorriso, a remaster")
MENU = "boot/grub/grub.cfg"
ENGINE, KARG = "engine.example.org", "hugepages=8"


def main() -> None:
    """Measure, and print the table and the ratios."""
    arguments = parse_arguments()
    print_machine()
    with tempfile.TemporaryDirectory(prefix="virtnode-bench-", dir=arguments.work) as name:
        folder = Path(name)
        iso = with_area(arguments.iso, folder)
        print(f"{iso.stat().st_size / 1e6:.1f} MB")
        measure(
            iso, folder
        )  # Python keeps byte-code, as an installed program has it; the files are in memory.
        rounds = [measure(iso, folder) for _ in range(arguments.rounds)]
    print(f"\n{times_table(rounds)}")
    for piece in PIECES[:2]:
        ratios = pairwise_ratios(
            [one[piece].clock for one in rounds], [one[PIECES[3]].clock for one in rounds]
        )
        print(f"- {ratio_line(f'{piece}, to the remaster', ratios)}")


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.customize", description=__doc__)
    parser.add_argument("iso", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=Path, default=Path("/var/tmp"), metavar="DIR")
    return parser.parse_args()


def with_area(iso: Path, folder: Path) -> Path:
    """Give an ISO without a config area a blank one; one that has it is taken as it is."""
    try:
        find_places(iso, find_form(iso))
    except VirtnodeError:
        remaster(iso, folder / "with-area.iso", folder, pack_area(ConfigArea()), "", menu_of(iso, folder))
        return folder / "with-area.iso"
    return iso


def menu_of(iso: Path, folder: Path) -> bytes:
    """Take out an ISO's menu, and let its entries take kernel arguments."""
    taken = folder / "grub.cfg"
    run(["xorriso", "-osirrox", "on", "-indev", iso, "-extract", f"/{MENU}", taken])
    plain = taken.read_text().replace(f" ${MENU_VARIABLE}\n", "\n")
    return re.sub(r"^( *linux .*)$", rf"\1 ${MENU_VARIABLE}", plain, flags=re.MULTILINE).encode()


def remaster(
    iso: Path, output: Path, folder: Path, area: bytes, arguments: str, menu: bytes | None = None
) -> None:
    """Let xorriso write an ISO anew with another config area and other kernel arguments."""
    files = {AREA_FILE: area, ISO_ARGUMENTS: pack_arguments(arguments)} | ({MENU: menu} if menu else {})
    argv: list[str | Path] = ["xorriso", "-indev", iso, "-outdev", output, "-boot_image", "any", "replay"]
    for number, (name, content) in enumerate(files.items()):
        source = folder / f"file-{number}"
        source.write_bytes(content)
        argv += ["-update", source, f"/{name}"]
    run(argv)


def measure(iso: Path, folder: Path) -> dict[str, Taken]:
    """Do everything once, as a person would, each in processes of its own."""
    watch = Stopwatch()
    copy, remastered = folder / "copy.iso", folder / "remastered.iso"
    with watch.piece(PIECES[0]):
        customize(iso, "-o", str(copy))
    with watch.piece(PIECES[1]):
        customize(copy, "--in-place")
    area = find_places(copy, find_form(copy)).area.read()
    copy.unlink()
    with watch.piece(PIECES[2]):
        run(["cp", "--reflink=auto", iso, copy])
    with watch.piece(PIECES[3]):
        remaster(iso, remastered, folder, area, KARG)
    for path in (copy, remastered):
        path.unlink()
    return watch.taken


def customize(iso: Path, *words: str) -> None:
    """Run the verb; ends the measurement if it fails."""
    argv = [
        sys.executable,
        "-m",
        "image.start",
        "customize",
        str(iso),
        *words,
        "--engine",
        ENGINE,
        "--karg",
        KARG,
    ]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"customize failed:\n{done.stderr}")


def times_table(rounds: Sequence[dict[str, Taken]]) -> str:
    """Draw the medians of each piece."""
    rows = []
    for piece in PIECES:
        clock = sorted(one[piece].clock for one in rounds)[len(rounds) // 2]
        processor = sorted(one[piece].processor for one in rounds)[len(rounds) // 2]
        rows.append([piece, f"{clock:.2f}", f"{processor:.2f}"])
    return markdown_table(["what", "seconds", "processor seconds"], rows)


if __name__ == "__main__":
    main()
