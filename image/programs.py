"""Put the node's own programs into a root: packages, pinned wheels, launchers, units."""

import shutil
import sys
from pathlib import Path

from image.bytecode import compile_python
from image.chroot import run_in_root
from image.layout import lay_file, lay_tree
from image.plan import CHECKOUT
from nodelib.run import run

HOME = "usr/lib/virtnode"
PACKAGES = ("nodelib", "nodeagent")
LAUNCHERS = {
    "virtnode-agent": "nodeagent.main",
    "virtnode-banner": "nodeagent.banner",
    "virtnode-config": "nodeagent.boot_config",
    "virtnode-state": "nodeagent.state_disk",
    "virtnodectl": "nodeagent.control",
}
"""Program in /usr/bin: the module whose `main` it calls."""

DATA = {
    "org.virtnode.Node1.conf": "usr/share/dbus-1/system.d/org.virtnode.Node1.conf",
    "virtnode.sysusers.conf": "usr/lib/sysusers.d/virtnode.conf",
}
"""File in nodeagent/data: where it belongs in a root."""

LAUNCHER = """\
#!/usr/bin/python3 -I
import sys

sys.path[:0] = ["/usr/lib/virtnode", "/usr/lib/virtnode/vendor"]
from {module} import main

sys.exit(main())
"""


def install_programs(root: Path, wheels: Path, source: Path = CHECKOUT) -> list[str]:
    """Install everything of ours into `root`, and return its paths inside.

    `wheels` caches downloads. The wheels are those of nodeagent/vendor.txt, each checked against its hash.
    """
    home = root / HOME
    home.mkdir(parents=True)
    for package in PACKAGES:
        lay_tree(source / package, home / package, ignored=("__pycache__", "units", "data", "*.txt"))
    install_vendor(source / "nodeagent/vendor.txt", home / "vendor", wheels)
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
        lay_file(source / "nodeagent/data" / name, root / place)
        own.append(f"/{place}")
    # The bus's policy names the group; a node makes none when it starts, for its root looks complete.
    run_in_root(root, ["systemd-sysusers", "virtnode.conf"])
    run_in_root(root, ["systemctl", "preset", *(unit.name for unit in units)])
    compile_python(root, f"/{HOME}")
    return own


def install_vendor(requirements: Path, destination: Path, wheels: Path) -> None:
    """Install the pinned wheels of `requirements`; a wrong hash or a wheel with compiled code is an error."""
    pins = [
        line for line in requirements.read_text().splitlines() if line.strip() and not line.startswith("#")
    ]
    if not pins:
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
    run([*argv, "--target", str(destination), "--requirement", str(requirements)])
    # Programs that wheels bring along call the Python of this host, and what was installed lists their sums.
    shutil.rmtree(destination / "bin", ignore_errors=True)
    for record in destination.glob("*.dist-info/RECORD"):
        record.unlink()
