"""Make the stand-in for a whole node by hand: `python -m tests.standin FOLDER` writes a kickstart there."""

import sys
from pathlib import Path

from tests.standin.kickstart import make_standin_kickstart, read_package_names
from tests.standin.repository import LABEL, make_standin


def main() -> None:
    """Make the repository, write the kickstart and say where both are."""
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    standin = make_standin(read_package_names())
    kickstart = make_standin_kickstart(folder / "standin.ks", standin)
    print(f"{LABEL}: {kickstart} installs from {standin.repository}")


if __name__ == "__main__":
    main()
