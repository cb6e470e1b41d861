"""Put the node's own programs into a root: packages, pinned wheels, launchers, units."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from image.bytecode import compile_library, compile_python
from image.chroot import run_in_root
from image.layout import forget_password_dates, lay_file, lay_tree
from image.plan import CHECKOUT
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run

HOME = "usr/lib/virtnode"
PACKAGES = ("nodelib", "nodeagent", "tui")
VENDORED = ("nodeagent/vendor.txt", "tui/vendor.txt")
UNUSED = "tui/vendor-unused.txt"
LAUNCHERS = {
    "virtnode-agent": "nodeagent.main",
    "virtnode-banner": "nodeagent.banner",
    "virtnode-config": "nodeagent.boot_config",
    "virtnode-console": "tui.main",
    "virtnode-state": "nodeagent.state_disk",
    "virtnode-trial": "nodeagent.update.trial",
    "virtnodectl": "nodeagent.control",
}
"""Program in /usr/bin: the module whose `main` it calls."""

DATA = {
    "nodeagent/data/org.virtnode.Node1.conf": "usr/share/dbus-1/system.d/org.virtnode.Node1.conf",
    "nodeagent/data/virtnode.pam": "usr/lib/pam.d/virtnode",
    "nodeagent/data/virtnode.sysusers.conf": "usr/lib/sysusers.d/virtnode.conf",
    "nodeagent/data/virtnode.tmpfiles.conf": "usr/lib/tmpfiles.d/virtnode.conf",
    "tui/data/virtnode-console-line": "usr/libexec/virtnode-console-line",
}
"""File of ours: where it belongs in a root."""

LAUNCHER = """\
#!/usr/bin/python3 -I
import sys

sys.path[:0] = ["/usr/lib/virtnode", "/usr/lib/virtnode/vendor"]
from {module} import main

sys.exit(main())
"""


IMPORT_ALL = """\
import importlib, pkgutil, sys

sys.path[:0] = ["/usr/lib/virtnode", "/usr/lib/virtnode/vendor"]
for package in sys.argv[1:]:
    for module in pkgutil.walk_packages([f"/usr/lib/virtnode/{package}"], f"{package}."):
        importlib.import_module(module.name)
"""


def install_programs(root: Path, wheels: Path, source: Path = CHECKOUT) -> list[str]:
    """Install everything of ours into `root`, and return its paths inside.

    `wheels` caches downloads. The wheels are those of VENDORED, each checked against its hash.
    """
    home = root / HOME
    home.mkdir(parents=True)
    for package in PACKAGES:
        lay_tree(source / package, home / package, ignored=("__pycache__", "units", "data", "*.txt"))
    install_vendor([source / name for name in VENDORED], home / "vendor", wheels)
    drop_unused(source / UNUSED, home / "vendor")
    own = [f"/{HOME}"]
    for name, module in LAUNCHERS.items():
        launcher = root / "usr/bin" / name
        launcher.write_text(LAUNCHER.format(module=module))
        launcher.chmod(0o755)
        own.append(f"/usr/bin/{name}")
    units = sorted((source / "nodeagent/units").iterdir())
    for unit in units:
        lay_file(unit, root / "usr/lib/systemd/system" / unit.name)
        own.append(f"/usr/lib/systemd/system/{unit.name}")
    for name, place in DATA.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        lay_file(source / name, root / place)
        own.append(f"/{place}")
    # The bus's policy names the group; a node makes none when it starts, for its root looks complete.
    run_in_root(root, ["systemd-sysusers", "virtnode.conf"])
    forget_password_dates(root)
    run_in_root(root, ["systemctl", "preset", *(unit.name for unit in units)])
    compile_library(root, home / "vendor")
    for package in PACKAGES:
        compile_python(root, f"/{HOME}/{package}")
    check_imports(root)
    return own


def check_imports(root: Path) -> None:
    """Import every module of ours with the root's own Python; what is missing is an error (invalid)."""
    done = run_in_root(root, ["python3", "-I", "-B", "-W", "error", "-c", IMPORT_ALL, *PACKAGES], check=False)
    if done.status:
        message = f"a program of the node lacks something: {done.stderr.strip().splitlines()[-1]}"
        raise VirtnodeError(
            Code.INVALID, message, "a package that is missing, or a trim rule that drops too much"
        )


def install_vendor(lists: Sequence[Path], destination: Path, wheels: Path) -> None:
    """Install the pinned wheels of `lists`; a wrong hash or a wheel with compiled code is an error."""
    lines = [line for pins in lists for line in pins.read_text().splitlines()]
    if not any(line.strip() and not line.startswith("#") for line in lines):
        return
    argv = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--require-hashes",
        "--no-compile",
    ]
    argv += ["--only-binary=:all:", "--platform=any", "--implementation=py", "--cache-dir", str(wheels)]
    requirements = [word for pins in lists for word in ("--requirement", str(pins))]
    run([*argv, "--target", str(destination), *requirements])
    # Programs that wheels bring along call the Python of this host, and what was installed lists their sums.
    shutil.rmtree(destination / "bin", ignore_errors=True)
    for record in destination.glob("*.dist-info/RECORD"):
        record.unlink()


def drop_unused(patterns: Path, vendor: Path) -> None:
    """Remove what no program of ours loads; a pattern that finds nothing is an error: a wheel has changed."""
    lines = (line.strip() for line in patterns.read_text().splitlines())
    for pattern in (line for line in lines if line and not line.startswith("#")):
        found = list(vendor.glob(pattern))
        if not found:
            message = f"{patterns.name}: no wheel has {pattern} any more"
            raise VirtnodeError(Code.INVALID, message, "take it out, or look for its new name")
        for path in found:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
