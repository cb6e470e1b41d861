"""virtnode-image: the command line."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from image.artefacts import describe_artefact, print_artefact
from image.bases import Sources
from image.boot import boot_artefact
from image.builder import build_image
from image.config import parse_size
from image.custom_verbs import add_custom_verbs
from image.doctor import GROUPS, find_missing, packages_of
from image.match import match_answer, plan_lines
from image.media.table import MEDIA_MAKERS
from image.plan import CHECKOUT, DEFAULT_MEDIA, MEDIA, Options, Profile, check_kickstart, make_plan
from image.progress import Steps, print_lines
from image.sizes import print_sizes
from image.tables import make_console
from image.update_verbs import add_update_verbs
from image.verb import run_verb
from image.verify.matrix import CASES
from image.verify.runner import verify_artefacts
from image.verify.table import failure_lines, verdict_table, verdicts_json
from image.verify.verdict import Verdict
from nodelib.codec import to_json
from nodelib.errors import Code, exit_status

logger = logging.getLogger(__name__)

BUILD_STEPS = 7
"""Steps of a build beside its media: packages, kernel, tree, programs, lint, squashfs, manifest."""
DEFAULT_CACHE = Path("/var/cache/virtnode")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit status: 0 done, 1 failed, 2 wrong input, 130 interrupted."""
    return run_verb(make_parser(), argv)


def make_parser() -> argparse.ArgumentParser:
    """Describe every verb and option."""
    parser = argparse.ArgumentParser(
        prog="virtnode-image",
        description="Turn a kickstart into a small KVM hypervisor node that boots everywhere.",
    )
    parser.add_argument("--verbose", action="store_true", help="show every command that is run")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _add_kickstart_verbs(verbs)
    _add_artefact_verbs(verbs)
    add_custom_verbs(verbs)
    add_update_verbs(verbs)
    match = verbs.add_parser("match", help="say what an installation answer would do to a recorded machine")
    match.add_argument("answer", type=Path, help="a node.toml with a table [install]")
    match.add_argument("machine", type=Path, help="what virtnodectl survey recorded")
    match.add_argument("--json", action="store_true")
    match.set_defaults(verb=run_match)
    doctor = verbs.add_parser("doctor", help="say what this host lacks to build either base, and to test")
    doctor.add_argument(
        "--packages",
        metavar="GROUP",
        nargs="+",
        choices=list(GROUPS),
        help="only name the packages that bring what is missing",
    )
    doctor.set_defaults(verb=run_doctor)
    return parser


def _add_kickstart_verbs(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    check = verbs.add_parser("check", help="report every problem of a kickstart")
    check.add_argument("kickstart", type=Path)
    check.set_defaults(verb=run_check)
    plan = verbs.add_parser("plan", help="show what a build would do, resolved")
    plan.add_argument("--json", action="store_true", help="the whole plan as JSON")
    build = verbs.add_parser("build", help="build every medium")
    for parser in (plan, build):
        parser.add_argument(
            "kickstart", type=Path, nargs="?", help="default: the one of this host's own family"
        )
        _add_build_options(parser)
    plan.set_defaults(verb=run_plan)
    build.set_defaults(verb=run_build)


def _add_build_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--out", type=Path, default=Path("out"), metavar="DIR", help="where artefacts go (default: out)")
    add(
        "--media",
        type=parse_media,
        default=DEFAULT_MEDIA,
        metavar="LIST",
        help=f"some of {','.join(MEDIA)} (default: {','.join(DEFAULT_MEDIA)})",
    )
    add(
        "--profile",
        type=Profile,
        choices=list(Profile),
        default=Profile.RELEASE,
        help="dev compresses quickly, release well (default: release)",
    )
    add(
        "--size-budget",
        type=_size,
        metavar="SIZE",
        help="the ISO's bound, as 120MB; the kickstart's by default",
    )
    add(
        "--mirror",
        default="",
        metavar="URL[,URL]",
        help="package archive to use, and where its security updates are",
    )
    add(
        "--pxe-url",
        default="",
        metavar="URL",
        help="where the pxe folder will be served; derived from the boot server by default",
    )
    add(
        "--update-key",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a public key whose updates nodes take, beside the kickstart's; may be given again",
    )
    add(
        "--sign-key",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="sign the update bundle with this private key; may be given again",
    )
    add(
        "--assembler",
        choices=list(MEDIA_MAKERS),
        default="virtnode",
        help="who makes ISO and PXE folder: we, or lorax where it is installed (default: virtnode)",
    )
    add(
        "--cache",
        type=Path,
        default=DEFAULT_CACHE,
        metavar="DIR",
        help=f"packages and finished stages (default: {DEFAULT_CACHE})",
    )


def _add_artefact_verbs(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    boot = verbs.add_parser("boot", help="open an artefact in QEMU, on this terminal as its serial line")
    boot.add_argument("artefact", type=Path)
    boot.add_argument("--window", action="store_true", help="open a window with the screen")
    boot.add_argument("--uefi", action="store_true", help="UEFI firmware and not BIOS")
    boot.add_argument("--secure-boot", action="store_true", help="UEFI with Secure Boot enforced")
    boot.add_argument("--pxe", action="store_true", help="over the network, from the pxe folder")
    boot.add_argument("--usb", action="store_true", help="as a USB stick and not a CD")
    boot.add_argument("--memory", type=int, default=2048, metavar="MIB", help="default: 2048")
    boot.set_defaults(verb=run_boot)
    inspect = verbs.add_parser("inspect", help="say what an artefact is and how it boots")
    inspect.add_argument("artefact", type=Path)
    inspect.add_argument("--json", action="store_true")
    inspect.add_argument(
        "--keys",
        type=Path,
        metavar="DIR",
        help="public keys, *.pem: did one of them sign this update bundle?",
    )
    inspect.add_argument(
        "--original",
        type=Path,
        metavar="FILE",
        help="what a customised artefact was made of, or its SHA256SUMS: is all the rest as it was?",
    )
    inspect.set_defaults(verb=run_inspect)
    sizes = verbs.add_parser(
        "why-size", help="say what takes the bytes, compressed: by package, driver group, file"
    )
    sizes.add_argument("artefact", type=Path)
    sizes.add_argument("--limit", type=int, default=25, metavar="N", help="rows of each table (default: 25)")
    sizes.add_argument("--json", action="store_true")
    sizes.set_defaults(verb=run_why_size)
    verify = verbs.add_parser("verify", help="boot an artefact, or all of a build, as every medium it can be")
    verify.add_argument("artefact", type=Path)
    verify.add_argument(
        "--medium", nargs="+", default=(), choices=[case.name for case in CASES], metavar="NAME"
    )
    verify.add_argument("--jobs", type=int, default=2, metavar="N", help="machines at a time (default: 2)")
    verify.add_argument(
        "--evidence", type=Path, metavar="DIR", help="where failures leave console, journal, screenshot"
    )
    verify.add_argument("--json", action="store_true")
    verify.set_defaults(verb=run_verify)


def run_check(arguments: argparse.Namespace) -> int:
    """Report every problem of a kickstart."""
    config = check_kickstart(arguments.kickstart)
    print(
        f"{arguments.kickstart}: a {config.base} {config.suite} node, "
        f"{len(config.packages.install)} packages named"
    )
    return 0


def run_plan(arguments: argparse.Namespace) -> int:
    """Show the resolved plan."""
    plan = make_plan(_kickstart(arguments), _options(arguments))
    if arguments.json:
        print(json.dumps({"id": plan.id, **plan.as_json()}, indent=2, sort_keys=True))
        return 0
    print(f"plan {plan.id[:16]}: {plan.name}, {plan.config.base} {plan.config.suite}, {plan.profile}")
    print(f"  media         {', '.join(plan.media)}")
    print(f"  repositories  {', '.join(f'{state.name} {state.digest[:12]}' for state in plan.repositories)}")
    print(f"  packages      {' '.join(plan.config.packages.install)}")
    print(f"  drivers       {' '.join(group.name for group in plan.drivers)}")
    print(f"  trim rules    {len(plan.rules)}")
    print(f"  size budget   {f'{plan.size_budget / 1e6:.0f} MB' if plan.size_budget else 'none'}")
    return 0


def run_build(arguments: argparse.Namespace) -> int:
    """Build every medium and list the artefacts."""
    options = _options(arguments)
    # Files that the build makes have the same modes whoever runs it.
    os.umask(0o022)
    plan = make_plan(_kickstart(arguments), options)
    steps = Steps(BUILD_STEPS + len(plan.media))
    with steps.shown():
        published = build_image(plan, options, steps)
    for path in published:
        size = f"{path.stat().st_size / 1e6:9.1f} MB" if path.is_file() else f"{'folder':>12}"
        print(f"{size}  {path}")
    return 0


def run_boot(arguments: argparse.Namespace) -> int:
    """Open an artefact in QEMU."""
    boot_artefact(
        arguments.artefact,
        window=arguments.window,
        uefi=arguments.uefi,
        secure_boot=arguments.secure_boot,
        pxe=arguments.pxe,
        usb=arguments.usb,
        memory=arguments.memory,
    )
    return 0


def run_inspect(arguments: argparse.Namespace) -> int:
    """Describe an artefact; fails for an update bundle that its nodes would refuse."""
    description = describe_artefact(arguments.artefact, arguments.original, arguments.keys)
    print_artefact(description, as_json=arguments.json)
    return 0 if description.update is None or description.update.is_sound else exit_status(Code.FAILED)


def run_why_size(arguments: argparse.Namespace) -> int:
    """Say what takes the bytes."""
    print_sizes(arguments.artefact, limit=arguments.limit, as_json=arguments.json)
    return 0


def run_verify(arguments: argparse.Namespace) -> int:
    """Boot every medium and judge it."""

    def tell(verdict: Verdict) -> None:
        logger.info("%s: %s", verdict.medium, "pass" if verdict.passed else "FAIL")

    verdicts = verify_artefacts(
        arguments.artefact,
        media=arguments.medium,
        jobs=arguments.jobs,
        evidence=arguments.evidence,
        on_verdict=tell,
    )
    if arguments.json:
        print(verdicts_json(verdicts))
    else:
        make_console().print(verdict_table(verdicts))
    print_lines([line for verdict in verdicts for line in failure_lines(verdict)])
    return 0 if all(verdict.passed for verdict in verdicts) else exit_status(Code.FAILED)


def run_match(arguments: argparse.Namespace) -> int:
    """Say what an answer would do to a machine; fails where it would do nothing."""
    plan = match_answer(arguments.answer, arguments.machine)
    print(to_json(plan) if arguments.json else "\n".join(plan_lines(plan)))
    return exit_status(Code.FAILED) if plan.problems else 0


def run_doctor(arguments: argparse.Namespace) -> int:
    """List what is missing, by what it is needed for."""
    family = find_host_family()
    if arguments.packages:
        missing = tuple(tool for group in arguments.packages for tool in find_missing(group))
        print("\n".join(packages_of(missing, family)))
        return 0
    for group in GROUPS:
        missing = find_missing(group)
        print(f"{group}: {'ready' if not missing else 'lacks'}")
        for tool in missing:
            print(f"  {tool.name:<20} {tool.purpose}; package {packages_of((tool,), family)[0]}")
    return 0


def find_host_family(os_release: Path = Path("/etc/os-release")) -> str:
    """Tell whether this host is of Fedora's family or of Debian's."""
    words = os_release.read_text().replace('"', " ").replace("=", " ").split() if os_release.exists() else []
    return "fedora" if {"fedora", "rhel", "centos"} & set(words) else "debian"


def parse_media(text: str) -> tuple[str, ...]:
    """Read `iso,pxe`; argparse reports what is wrong."""
    names = tuple(dict.fromkeys(text.split(",")))
    unknown = [name for name in names if name not in MEDIA]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown medium {', '.join(unknown)}; there are {', '.join(MEDIA)}")
    return names


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _kickstart(arguments: argparse.Namespace) -> Path:
    chosen: Path | None = arguments.kickstart
    return chosen or CHECKOUT / f"kickstarts/node-{find_host_family()}.ks"


def _options(arguments: argparse.Namespace) -> Options:
    return Options(
        out=arguments.out,
        profile=arguments.profile,
        media=arguments.media,
        sources=Sources(mirror=arguments.mirror, cache=arguments.cache.absolute()),
        size_budget=arguments.size_budget,
        pxe_url=arguments.pxe_url,
        assembler=arguments.assembler,
        update_keys=tuple(arguments.update_key),
        sign_keys=tuple(arguments.sign_key),
    )


if __name__ == "__main__":
    sys.exit(main())
