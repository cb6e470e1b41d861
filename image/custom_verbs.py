"""The verbs customize and validate: their options, and what they print."""

import argparse
import getpass
import sys
import tomllib
from pathlib import Path

from image.answers import AnswerOptions, check_answer, make_answer, read_answer
from image.custom_arguments import check_arguments
from image.customize import AS_BUILT, Customisation, customize_copy, customize_in_place
from image.progress import print_lines
from image.signing import sign_payload
from nodelib.config_area import ConfigArea
from nodelib.errors import Code, VirtnodeError

QUICK_VERBS = ("customize", "validate")


def add_custom_verbs(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe both verbs."""
    customize = verbs.add_parser("customize", help="write configuration into a finished image")
    add = customize.add_argument
    add("artefact", type=Path, help="an ISO, a disk image or a pxe folder")
    where = customize.add_mutually_exclusive_group(required=True)
    where.add_argument("-o", "--output", type=Path, metavar="FILE", help="write a copy")
    where.add_argument("--in-place", action="store_true", help="change the artefact itself")
    add("--config", type=Path, metavar="FILE", help="a node.toml to embed")
    add(
        "--ssh-key",
        action="append",
        default=[],
        metavar="KEY",
        help="a public key for root and admin, or a file of them; may be given again",
    )
    add("--engine", default="", metavar="HOST", help="the engine to join: HOST or HOST:PORT")
    add(
        "--ca",
        action="append",
        default=[],
        metavar="PIN",
        help="the pin of the engine's authority, sha256:HEX, or its ca.pem; may be given again",
    )
    add("--token", default="", help="a join token; - asks for it, or reads it from standard input")
    add(
        "--karg",
        action="append",
        default=[],
        metavar="ARGUMENT",
        help="a kernel argument for every entry of the menu; may be given again",
    )
    add("--sign", type=Path, metavar="KEY", help="sign the configuration with an Ed25519 key in PEM")
    add("--reset", action="store_true", help="take everything out again")
    customize.set_defaults(verb=run_customize)
    validate = verbs.add_parser("validate", help="report every problem of a node.toml")
    validate.add_argument("answer", type=Path, help="a node.toml")
    validate.set_defaults(verb=run_validate)


def run_customize(arguments: argparse.Namespace) -> int:
    """Write into a finished image."""
    wanted = _read_customisation(arguments)
    if arguments.in_place:
        customize_in_place(arguments.artefact, wanted)
    else:
        customize_copy(arguments.artefact, arguments.output, wanted, lambda line: print_lines([line]))
    print(arguments.artefact if arguments.in_place else arguments.output)
    if wanted.area is not None and _lacks_pin(wanted.area.payload.decode()):
        print_lines(["note: no --ca is given, and a node trusts no engine without a pin"])
    return 0


def run_validate(arguments: argparse.Namespace) -> int:
    """Report every problem of an answer file."""
    check_answer(read_answer(arguments.answer), str(arguments.answer))
    print(f"{arguments.answer}: nothing is wrong with it")
    return 0


def _read_customisation(arguments: argparse.Namespace) -> Customisation:
    options = AnswerOptions(
        config=arguments.config,
        ssh_keys=arguments.ssh_key,
        engine=arguments.engine,
        ca=arguments.ca,
        token=_read_token() if arguments.token == "-" else arguments.token,
    )
    is_something = options.are_given or bool(arguments.karg)
    if arguments.reset == is_something:
        what = "--reset goes with nothing else" if is_something else "there is nothing to embed"
        raise VirtnodeError(
            Code.INVALID,
            what,
            "give some of --config, --ssh-key, --engine, --ca, --token, --karg; or --reset",
        )
    if arguments.reset:
        return AS_BUILT
    area = None
    if options.are_given:
        payload = make_answer(options)
        area = ConfigArea(payload, sign_payload(arguments.sign, payload) if arguments.sign else b"")
    return Customisation(area, check_arguments(arguments.karg) if arguments.karg else None)


def _lacks_pin(text: str) -> bool:
    engine = tomllib.loads(text).get("engine", {})
    return bool(engine.get("address")) and not engine.get("ca")


def _read_token() -> str:
    return (getpass.getpass("join token: ") if sys.stdin.isatty() else sys.stdin.readline()).strip()
