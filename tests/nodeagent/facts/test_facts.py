"""Facts of made-up machines, of the machine that runs the tests, and of a libvirt that does not answer."""

import dataclasses
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nodeagent.clocks import Clocks
from nodeagent.facts.collector import PROBE_AGAIN, PROBE_INTERVAL, FactsCollector, same_machine
from nodeagent.facts.disks import LSBLK_COMMAND
from nodeagent.facts.machine import collect_firmware, collect_hardware
from nodeagent.facts.nics import read_lldp
from nodeagent.facts.processor import read_range
from nodeagent.facts.question import Question, start_thread
from nodeagent.facts.routes import name_servers, read_gateways
from nodeagent.facts.sources import CommandRunner, read_list, read_number, read_table
from nodeagent.facts.virtualisation import (
    PROBE,
    PROBE_COMMAND,
    collect_virtualisation,
    count_guests,
)
from nodeagent.lookout import Lookout
from nodelib.codec import from_json, to_json
from nodelib.facts import Cpu, Disk, Facts, LldpNeighbour, Memory, Nic, NumaNode, Virtualisation
from nodelib.link import MAX_FRAME
from tests.nodeagent.machines import MACHINE, UUID, Commands, at_once, make_machine

CAPABILITIES = """<capabilities>
  <host><uuid>x</uuid><cpu><arch>x86_64</arch><model>EPYC-Milan</model></cpu></host>
  <guest><os_type>hvm</os_type><arch name='i686'><domain type='other'/></arch></guest>
  <guest><os_type>hvm</os_type><arch name='x86_64'>
    <machine maxCpus='255'>pc-i440fx-10.0</machine><machine canonical='pc-q35-10.0'>q35</machine>
    <machine>q35</machine><domain type='qemu'/><domain type='kvm'/>
  </arch></guest>
</capabilities>"""


@pytest.fixture
def facts(tmp_path: Path) -> Facts:
    """Collect the facts of the made-up machine."""
    commands = Commands()
    root = make_machine(tmp_path, MACHINE)
    return FactsCollector(root, lambda: 0.0, command=commands, probe=commands, beside=at_once).collect()


def test_processors_memory_and_domains(facts: Facts) -> None:
    """Two sockets of one core with two threads each; huge pages and NUMA nodes as the kernel tells."""
    assert facts.cpu == Cpu(
        "AMD EPYC 7313", "AuthenticAMD", "x86_64", 2, 2, 4, ("fpu", "svm", "npt"), nested=True
    )
    assert facts.memory == Memory(16384 * 1024, 8192 * 1024, 1024 * 1024, {"2048": 16})
    assert facts.numa == (NumaNode(0, 8192 * 1024, (0, 1)), NumaNode(1, 8192 * 1024, (2, 3)))


def test_interfaces(facts: Facts) -> None:
    """Each kind is known by its marks in /sys; guests' ports are none of them."""
    nics = {nic.name: nic for nic in facts.nics}
    assert {name: nic.kind for name, nic in nics.items()} == {
        "eth0": "physical",
        "eth1": "physical",
        "bond0": "bond",
        "br0": "bridge",
        "vlan10": "vlan",
        "vnet0": "other",
    }
    assert nics["eth0"] == Nic(
        "eth0",
        "physical",
        "52:54:00:00:00:01",
        "pci-0000:00:03.0",
        "ixgbe",
        10000,
        1500,
        link=True,
        master="bond0",
        lldp=LldpNeighbour("00:11:22:33:44:55", "Eth1/7", "sw1"),
    )
    assert (nics["eth1"].speed_mbps, nics["eth1"].link) == (None, False)
    assert nics["bond0"].addresses == ("192.0.2.5/24", "2001:db8::5/64")


def test_the_way_out_is_read_from_the_kernels_tables(tmp_path: Path) -> None:
    """Routers of both families by interface, and the name servers behind the node's own resolver."""
    route6 = f"{'0' * 32} 00 {'0' * 32} 00 fe80{'0' * 27}1 00000400 00000001 00000000 00450003     eth0\n"
    refuses = f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} ffffffff 00000001 00000000 00200200       lo\n"
    gateway = int.from_bytes(bytes((192, 0, 2, 1)), sys.byteorder)
    head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n"
    rows = f"eth0\t00000000\t{gateway:08X}\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
    # Half of the world by another way is no default.
    rows += f"tun0\t00000000\t{gateway:08X}\t0003\t0\t0\t0\t00000080\t0\t0\t0\n"
    rows += "eth0\t000200C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
    make_machine(
        tmp_path,
        {
            "proc/net/route": head + rows,
            "proc/net/ipv6_route": route6 + refuses,
            "etc/resolv.conf": "nameserver 127.0.0.53\nnameserver 192.0.2.53\n",
        },
    )
    assert read_gateways(tmp_path) == {"eth0": ("192.0.2.1", "fe80::1")}
    assert name_servers(tmp_path) == ("192.0.2.53",)
    assert read_gateways(tmp_path / "nothing") == {}


def test_disks_say_what_is_on_them(facts: Facts) -> None:
    """Partitions and volumes count to their disk; what holds nothing over a restart is no disk."""
    assert facts.disks == (
        Disk(
            "sda",
            "/dev/disk/by-path/pci-0000:00:1f.2-ata-1",
            "Samsung SSD 870",
            "S1",
            500107862016,
            rotational=False,
            bus="sata",
            holds=("gpt partition table", 'vfat "ESP"', "LVM2_member", 'ext4 "data"'),
        ),
        Disk("sdb", size_bytes=1000, rotational=True),
    )


def test_machine_and_firmware(facts: Facts) -> None:
    """Names as the firmware's tables have them, UEFI with Secure Boot, TPM 2.0."""
    assert (facts.hardware.manufacturer, facts.hardware.serial) == ("Dell Inc.", "ABC1234")
    assert facts.hardware.uuid == UUID
    assert (facts.firmware.kind, facts.firmware.secure_boot, facts.firmware.tpm) == ("uefi", True, "2.0")
    assert facts.hostname == "node1.example.org"
    assert facts.build_id == "abcdef12"
    assert facts.booted_at == 1700000000


def test_what_makers_forgot_to_fill_in_names_no_machine(tmp_path: Path) -> None:
    """A serial number or UUID that thousands share is none; without UEFI there is no Secure Boot."""
    make_machine(
        tmp_path,
        {
            "sys/class/dmi/id/sys_vendor": "To Be Filled By O.E.M.\n",
            "sys/class/dmi/id/product_serial": "Default string\n",
            "sys/class/dmi/id/product_uuid": "03000200-0400-0500-0006-000700080009\n",
        },
    )
    hardware = collect_hardware(tmp_path)
    assert (hardware.manufacturer, hardware.serial, hardware.uuid) == ("", "", "")
    assert collect_firmware(tmp_path).secure_boot is None
    assert collect_firmware(tmp_path).kind == "bios"


def test_virtualisation(facts: Facts, tmp_path: Path) -> None:
    """What libvirt says; guests are counted by their files."""
    assert facts.virtualisation == Virtualisation(
        kvm=True,
        libvirt="11.3.0",
        qemu="10.0.0",
        domain_types=("qemu", "kvm"),
        machines=("pc-i440fx-10.0", "q35"),
        guest_cpu="EPYC-Milan",
        iommu=True,
    )
    assert facts.versions == {"kernel": "6.12.48-amd64", "libvirt": "11.3.0", "qemu": "10.0.0"}
    assert count_guests(tmp_path) == 1


def test_facts_survive_the_link(facts: Facts) -> None:
    """They travel as JSON and fit a frame."""
    text = to_json(facts)
    assert from_json(Facts, text) == facts
    assert len(text) < MAX_FRAME


def test_an_empty_machine_has_empty_facts(tmp_path: Path) -> None:
    """Nothing is made up where nothing can be read."""
    commands = Commands({})
    found = FactsCollector(tmp_path, lambda: 0.0, command=commands, probe=commands, beside=at_once).collect()
    assert found == Facts(firmware=dataclasses.replace(found.firmware, kind="bios"))


def test_disks_are_looked_at_when_some_have_come_or_gone(tmp_path: Path) -> None:
    """A login to a target is seen at once; all else keeps its time."""
    commands = Commands()
    root = make_machine(tmp_path, MACHINE)
    clocks = Clocks(monotonic=lambda: 1.0)
    collector = FactsCollector(root, clocks.monotonic, command=commands, probe=commands, beside=at_once)
    lookout = Lookout(root, clocks, commands, collector)
    assert not lookout.has_looked
    assert lookout.collect()
    assert lookout.has_looked
    before = lookout.facts
    commands.outputs[LSBLK_COMMAND] = {"blockdevices": [{"name": "sdz", "type": "disk", "size": 512}]}
    assert not lookout.collect()
    assert lookout.facts.disks == before.disks
    lookout.look_at_disks()
    assert [disk.name for disk in lookout.facts.disks] == ["sdz"]
    assert dataclasses.replace(lookout.facts, disks=before.disks) == before


def test_libvirt_is_asked_rarely_while_it_answers(tmp_path: Path) -> None:
    """Each question may start it; one that did not answer is asked again soon."""
    commands, now = Commands(), [0.0]
    collector = FactsCollector(tmp_path, lambda: now[0], command=commands, probe=commands, beside=at_once)

    def asked() -> int:
        return commands.calls.count(PROBE_COMMAND)

    collector.collect()
    now[0] = PROBE_INTERVAL - 1
    collector.collect()
    assert asked() == 1
    commands.outputs[PROBE_COMMAND] = ""
    now[0] += 1
    assert collector.collect().virtualisation.libvirt == ""
    now[0] += PROBE_AGAIN
    collector.collect()
    assert asked() == 3


def test_libvirt_is_not_waited_for(tmp_path: Path) -> None:
    """All else is told at once; the answer is news when it comes, and one question is put at a time."""
    commands = Commands()
    waiting: list[Callable[[], None]] = []
    collector = FactsCollector(tmp_path, lambda: 0.0, command=commands, probe=commands, beside=waiting.append)
    assert collector.collect().virtualisation.libvirt == ""
    collector.collect()
    assert not collector.has_news
    assert len(waiting) == 1
    waiting.pop()()
    assert collector.has_news
    assert collector.collect().virtualisation.libvirt == "11.3.0"
    assert not collector.has_news


def test_a_question_is_answered_by_a_thread() -> None:
    """Whoever asks goes on; the answer is there once, some time later."""
    answered = threading.Event()

    def beside(work: Callable[[], None]) -> None:
        def work_and_tell() -> None:
            work()
            answered.set()

        start_thread(work_and_tell)

    question = Question(lambda argv: f"answer to {argv[0]}", ("me",), beside)
    assert question.take() is None
    question.ask()
    assert answered.wait(10)
    assert (question.take(), question.take()) == ("answer to me", None)


def test_capabilities_are_read() -> None:
    """What libvirt says of x86-64 guests, each once, and not of others."""
    pytest.importorskip("libvirt", reason="the libvirt binding is not installed")
    from nodeagent.facts.libvirt_probe import read_capabilities, version_text

    assert read_capabilities(CAPABILITIES) == {
        "domain_types": ["qemu", "kvm"],
        "machines": ["pc-i440fx-10.0", "q35"],
        "guest_cpu": "EPYC-Milan",
    }
    assert read_capabilities("<capabilities/>")["guest_cpu"] == ""
    assert version_text(11003002) == "11.3.2"


def test_a_real_libvirt_is_understood(tmp_path: Path) -> None:
    """The probe asks libvirt's own test driver, as a program of its own."""
    pytest.importorskip("libvirt", reason="the libvirt binding is not installed")
    text = CommandRunner()((sys.executable, str(PROBE), "test:///default"))
    found = collect_virtualisation(tmp_path, text)
    assert found.libvirt.count(".") == 2
    # Its guests are of another architecture, so there is nothing to offer here.
    assert found.domain_types == ()
    assert found.qemu == "0.0.2"


def test_a_dead_libvirt_is_no_fact(tmp_path: Path) -> None:
    """A libvirt that cannot be reached, and one that answers with nonsense, leave their part empty."""
    assert CommandRunner()((sys.executable, str(PROBE), "qemu+unix:///system?socket=/nonexistent")) == ""
    assert collect_virtualisation(tmp_path, '{"machines": "q35"}').machines == ()
    assert collect_virtualisation(tmp_path, "no JSON").libvirt == ""


def test_same_machine_ignores_what_always_changes(facts: Facts) -> None:
    """Free memory is no news; a cable is."""
    memory = dataclasses.replace(facts.memory, available_bytes=1)
    assert same_machine(facts, dataclasses.replace(facts, memory=memory))
    assert not same_machine(facts, dataclasses.replace(facts, nics=()))
    assert not same_machine(None, facts)


def test_this_machine_is_believable() -> None:
    """The real files and tools give facts of the right kind."""
    found = FactsCollector(Path("/"), time.monotonic, probe=lambda argv: "").collect()
    assert found.cpu.threads >= found.cpu.cores >= found.cpu.sockets >= 1
    assert found.memory.total_bytes >= found.memory.available_bytes > 1 << 26
    assert found.kernel[0].isdigit()
    assert 1.5e9 < found.booted_at < time.time() + 1
    assert all(nic.kind in ("physical", "bond", "bridge", "vlan", "other") for nic in found.nics)
    assert all(disk.size_bytes > 0 for disk in found.disks)
    assert from_json(Facts, to_json(found)) == found


def test_odd_sources_are_empty(tmp_path: Path) -> None:
    """A missing file, a missing program and output that is no JSON are no error."""
    assert read_number(tmp_path / "none") is None
    assert CommandRunner()(("no-such-program-here",)) == ""
    assert read_list("{") == []
    assert read_list('{"a": 1}') == []
    assert read_table("[1]") == {}
    assert read_range("0-2,7") == (0, 1, 2, 7)
    assert read_range("") == ()


def test_a_failure_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A command that fails at each look does not fill the journal; one that is slow is ended."""
    caplog.set_level("INFO")
    runner = CommandRunner(timeout=0.2)
    for _ in range(3):
        assert runner(("false",)) == ""
    assert len(caplog.records) == 1
    assert runner(("sleep", "60")) == ""
    assert "did not end within" in caplog.text
    assert runner(("echo", "x")) == "x\n"


def test_both_shapes_of_networkctl_are_read() -> None:
    """Neighbours grouped by interface, and in a flat list."""
    flat = '{"Neighbors": [{"InterfaceName": "eth0", "ChassisID": "a", "PortID": "b"}]}'
    assert read_lldp(flat) == {"eth0": LldpNeighbour("a", "b")}
    assert read_lldp("") == {}


def test_neighbours_as_systemd_257_tells_them() -> None:
    """A name that a switch keeps to itself is null; of two neighbours on a port the first is shown."""
    heard = {
        "InterfaceIndex": 2,
        "InterfaceName": "eth0",
        "InterfaceAlternativeNames": ["enp1s0"],
        "Neighbors": [
            {
                "ChassisID": "00:11:22:33:44:55",
                "RawChassisID": [4, 0],
                "PortID": "Eth1/7",
                "SystemName": None,
            },
            {"ChassisID": "00:11:22:33:44:66", "RawChassisID": [4, 0], "PortID": "Eth1/8", "SystemName": "b"},
        ],
    }
    found = read_lldp(json.dumps({"Neighbors": [heard, {"InterfaceName": "eth1", "Neighbors": []}]}))
    assert found == {"eth0": LldpNeighbour("00:11:22:33:44:55", "Eth1/7")}
