"""virtnode-image's first step: who customises an image does not wait for the libraries of a build."""

import argparse
import sys

from image.custom_verbs import QUICK_VERBS, add_custom_verbs
from image.verb import run_verb


def main() -> int:
    """Run the verb of this process's command line."""
    if sys.argv[1:2] and sys.argv[1] in QUICK_VERBS:
        parser = argparse.ArgumentParser(prog="virtnode-image")
        parser.set_defaults(verbose=False)
        add_custom_verbs(parser.add_subparsers(required=True, metavar="VERB"))
        return run_verb(parser, None)
    # Reading a kickstart takes libraries that load longer than a verb of above runs.
    from image.main import main as run_main

    return run_main()


if __name__ == "__main__":
    sys.exit(main())
