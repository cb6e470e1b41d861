"""The verbs about updates: sign a bundle, and say what differs between two images."""

import argparse
from pathlib import Path

from image.bundle import sign_bundle
from image.package_list import print_changes
from image.signing import load_private_key


def add_update_verbs(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe both verbs."""
    sign = verbs.add_parser("sign", help="sign an update bundle, or add another signature")
    sign.add_argument("bundle", type=Path)
    sign.add_argument(
        "--key",
        type=Path,
        action="append",
        required=True,
        metavar="KEY",
        help="an Ed25519 private key in PEM; may be given again",
    )
    sign.add_argument("-o", "--output", type=Path, metavar="FILE", help="write a copy (default: in place)")
    sign.set_defaults(verb=run_sign)
    diff = verbs.add_parser("diff", help="say which packages differ between two images")
    for name in ("old", "new"):
        diff.add_argument(name, type=Path, help="an update bundle, a build's manifest.json or its folder")
    diff.add_argument("--json", action="store_true")
    diff.set_defaults(verb=run_diff)


def run_sign(arguments: argparse.Namespace) -> int:
    """Sign a bundle, and list who vouches for it."""
    output: Path = arguments.output or arguments.bundle
    bundle = sign_bundle(arguments.bundle, output, [load_private_key(key) for key in arguments.key])
    for signature in bundle.signatures:
        print(f"{output}: signed by the key {signature.key}")
    return 0


def run_diff(arguments: argparse.Namespace) -> int:
    """Say which packages differ."""
    print_changes(arguments.old, arguments.new, as_json=arguments.json)
    return 0
