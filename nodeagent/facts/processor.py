"""Processors, memory and how they lie to each other, from /proc and /sys."""

from pathlib import Path

from nodeagent.facts.sources import names_in, read_number, read_text
from nodelib.facts import Cpu, Memory, NumaNode

CPUS = "sys/devices/system/cpu"
NODES = "sys/devices/system/node"
HUGE_PAGES = "sys/kernel/mm/hugepages"


def collect_cpu(root: Path) -> Cpu:
    """Count processors by the kernel's topology; the model is that of the first."""
    fields = _first_processor(read_text(root / "proc/cpuinfo"))
    places = []
    for number in _numbered(root / CPUS, "cpu"):
        topology = root / CPUS / f"cpu{number}/topology"
        package, core = read_number(topology / "physical_package_id"), read_number(topology / "core_id")
        if package is not None and core is not None:
            places.append((package, core))
    return Cpu(
        model=fields.get("model name", ""),
        vendor=fields.get("vendor_id", ""),
        architecture=read_text(root / "proc/sys/kernel/arch"),
        sockets=len({package for package, _ in places}),
        cores=len(set(places)),
        threads=len(places),
        flags=tuple(fields.get("flags", "").split()),
        nested=any(
            read_text(root / f"sys/module/{module}/parameters/nested") in ("1", "Y")
            for module in ("kvm_intel", "kvm_amd")
        ),
    )


def collect_memory(root: Path) -> Memory:
    """Read RAM, swap and the huge pages of each size."""
    fields = _sizes(read_text(root / "proc/meminfo"))
    pages = {}
    for name in names_in(root / HUGE_PAGES):
        size = name.removeprefix("hugepages-").removesuffix("kB")
        pages[size] = read_number(root / HUGE_PAGES / name / "nr_hugepages") or 0
    return Memory(
        total_bytes=fields.get("MemTotal", 0),
        available_bytes=fields.get("MemAvailable", 0),
        swap_bytes=fields.get("SwapTotal", 0),
        huge_pages=pages,
    )


def collect_numa(root: Path) -> tuple[NumaNode, ...]:
    """Read each memory domain's size and processors."""
    nodes = []
    for number in _numbered(root / NODES, "node"):
        folder = root / NODES / f"node{number}"
        # Each line begins with `Node 0 `.
        lines = [line.split(None, 2)[-1] for line in read_text(folder / "meminfo").splitlines()]
        sizes = _sizes("\n".join(lines))
        nodes.append(NumaNode(number, sizes.get("MemTotal", 0), read_range(read_text(folder / "cpulist"))))
    return tuple(nodes)


def read_range(text: str) -> tuple[int, ...]:
    """Read the kernel's way to write a set: `0-3,8`."""
    numbers: list[int] = []
    for piece in filter(None, text.split(",")):
        first, _, last = piece.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return tuple(numbers)


def _first_processor(cpuinfo: str) -> dict[str, str]:
    lines = (line.partition(":") for line in cpuinfo.partition("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}


def _numbered(folder: Path, prefix: str) -> list[int]:
    names = (name.removeprefix(prefix) for name in names_in(folder) if name.startswith(prefix))
    return sorted(int(name) for name in names if name.isdecimal())


def _sizes(text: str) -> dict[str, int]:
    sizes = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if len(words) == 2 and words[0].isdecimal():
            sizes[name] = int(words[0]) * 1024
    return sizes
