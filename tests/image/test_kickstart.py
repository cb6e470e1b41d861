"""Kickstarts as people write them: what they become, and every message a wrong one gives."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from image.config import (
    BootProtocol,
    ImageConfig,
    Network,
    Origin,
    Packages,
    Partition,
    Repository,
    Selinux,
    SshKey,
    Trim,
    User,
    config_as_json,
)
from image.kickstart import load_kickstart
from image.kickstart_commands import check_timezone
from image.kickstart_text import Problems
from image.signing import read_public_key
from nodelib.errors import InvalidInput

HERE = Path(__file__).parent
BAD = HERE / "bad"
KICKSTARTS = HERE.parent.parent / "kickstarts"
KSVALIDATOR = Path(sys.executable).with_name("ksvalidator")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ann@example.invalid"
HASH = "$6$salt$hash/of.a.password"

ADDON = "%addon virtnode_image\nbase debian\n%end\n"

COMPLETE = f"""\
# Everything that is honoured, once.
lang en_US.UTF-8
keyboard --vckeymap=cz
timezone --utc Europe/Prague
timesource --ntp-server=ntp.example.invalid
timesource --ntp-server=192.0.2.123
rootpw --iscrypted {HASH}
group --name=operators --gid=2000
user --name=ann --uid=1000 --gid=2000 --gecos="Ann, first" --homedir=/home/ann --shell=/bin/bash \
--groups=operators,libvirt --iscrypted --password={HASH}
user --name=ben --lock
sshkey --username=ann "{KEY}"
network --hostname=node1.example.invalid
network --device=eth0 --bootproto=static --ip=192.0.2.5 --netmask=255.255.255.0 --gateway=192.0.2.1 \
--nameserver=192.0.2.53,2001:db8::53 --mtu=9000 --ipv6=2001:db8::5/64 --ipv6gateway=2001:db8::1
network --device=bond0 --bondslaves=eth1,eth2 --bondopts=mode=802.3ad,miimon=100 --noipv4 --noipv6
network --device=bond0 --vlanid=100 --onboot=no
firewall --enabled --service=ssh --port=8080:tcp,5900-5999:tcp,53:udp
selinux --permissive
services --enabled=sshd,chronyd --disabled=cups
bootloader --append='quiet console=ttyS0 dyndbg="file a.c +p"' --timeout=3
url --url=https://example.invalid/fedora/$releasever/
repo --name=extra --metalink=https://example.invalid/link --cost=50 --excludepkgs=a*,b --noverifyssl
part /boot/efi --fstype=efi --size=200
part / --size=1000
part /var/lib/virtnode --size=4000 --fstype=ext4
logvol none --name=guests --vgname=virtnode --percent=98 --thinpool
ignoredisk --only-use=disk/by-id/ata-boot
clearpart --all --initlabel --drives=disk/by-id/ata-boot
poweroff

%packages --excludedocs --inst-langs=en:cs
@^server
@core
qemu-*  # all of them
dropped
-dropped
-cups*
%end

%include more.ks

%addon virtnode_image
# What kickstart has no command for.
base fedora
suite 43
gpgkey key.asc
update-key keys/site.pem
config-key keys/site.pem
size-budget 120MB   # 10^6 bytes
trim trim/more.tmpl
keep-drivers network storage
drop-package 'python3-pip*'
drop-path /usr/share/doc '/usr/share/man/*'
%end

%post --nochroot --interpreter=/bin/bash --erroronfail --log=/root/post.log
echo "it's # fine"
%post-like text is no section
%include body.sh
%end
"""

SITE_KEY = """\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""

MORE = """\
services --enabled=sshd,nftables
%packages --exclude-weakdeps
nftables
%end
%addon virtnode_image
keep-drivers storage gpu
update-key keys/site.pem
%end
%post
true
%end
"""


def write(folder: Path, name: str, text: str) -> Path:
    """Write one file of a kickstart below a folder."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def write_complete(folder: Path) -> Path:
    """Write a kickstart with everything that is honoured, and the files it names."""
    for name in ("key.asc", "trim/more.tmpl"):
        write(folder, name, "")
    write(folder, "keys/site.pem", SITE_KEY)
    write(folder, "body.sh", "echo included\n")
    write(folder, "more.ks", MORE)
    return write(folder, "complete.ks", COMPLETE)


def problems_of(path: Path) -> list[str]:
    """Return what is wrong with a kickstart; nothing when it loads."""
    try:
        load_kickstart(path)
    except InvalidInput as error:
        return list(error.problems)
    return []


@pytest.fixture
def complete(tmp_path: Path) -> ImageConfig:
    """Load the complete kickstart."""
    return load_kickstart(write_complete(tmp_path))


def test_repositories_and_packages(complete: ImageConfig) -> None:
    """Repositories keep their options; packages of all sections come together, later lines winning."""
    assert complete.url == Repository("", "https://example.invalid/fedora/$releasever/")
    assert complete.repositories == (
        Repository(
            "extra",
            metalink="https://example.invalid/link",
            cost=50,
            excludepkgs=("a*", "b"),
            verify_tls=False,
        ),
    )
    assert complete.packages == Packages(
        install=("nftables", "qemu-*"),
        groups=("core",),
        environment="server",
        exclude=("cups*", "dropped"),
        exclude_docs=True,
        exclude_weakdeps=True,
        languages=("en", "cs"),
    )


def test_addon_sections_add_up(complete: ImageConfig, tmp_path: Path) -> None:
    """The section may stand several times; paths are taken from the file they stand in."""
    assert (complete.base, complete.suite, complete.size_budget) == ("fedora", "43", 120_000_000)
    assert complete.gpg_keys == (str(tmp_path.resolve() / "key.asc"),)
    assert complete.update_keys == (read_public_key(tmp_path / "keys/site.pem"),)
    assert complete.config_keys == complete.update_keys
    assert complete.trim == Trim(
        keep_drivers=("storage", "gpu", "network"),
        templates=(tmp_path.resolve() / "trim/more.tmpl",),
        drop_packages=("python3-pip*",),
        drop_paths=("/usr/share/doc", "/usr/share/man/*"),
    )


def test_identity_and_accounts(complete: ImageConfig) -> None:
    """Language, clock and accounts come out as they were said."""
    assert (complete.language, complete.keyboard, complete.timezone) == ("en_US.UTF-8", "cz", "Europe/Prague")
    assert complete.utc_clock
    assert complete.ntp_servers == ("ntp.example.invalid", "192.0.2.123")
    assert complete.hostname == "node1.example.invalid"
    assert complete.root_password == HASH
    ann = User("ann", HASH, 1000, 2000, "Ann, first", "/home/ann", "/bin/bash", ("operators", "libvirt"))
    assert complete.users == (ann, User("ben"))
    assert complete.ssh_keys == (SshKey("ann", KEY),)


def test_networks(complete: ImageConfig) -> None:
    """A static interface, a bond and a VLAN on that bond are told apart."""
    static, bond, vlan = complete.networks
    assert static == Network(
        device="eth0",
        protocol=BootProtocol.STATIC,
        ip="192.0.2.5/24",
        gateway="192.0.2.1",
        ipv6="2001:db8::5/64",
        ipv6_gateway="2001:db8::1",
        nameservers=("192.0.2.53", "2001:db8::53"),
        mtu=9000,
    )
    assert bond == Network(
        device="bond0",
        protocol=BootProtocol.NONE,
        ipv6="ignore",
        bond_ports=("eth1", "eth2"),
        bond_options=(("mode", "802.3ad"), ("miimon", "100")),
    )
    assert vlan == Network(device="bond0", vlan_id=100, on_boot=False)


def test_services_boot_and_disk(complete: ImageConfig) -> None:
    """Firewall, units, kernel arguments and partitions come out as they were said."""
    assert complete.firewall.enabled
    assert complete.firewall.services == ("ssh",)
    assert complete.firewall.ports == ("8080/tcp", "5900-5999/tcp", "53/udp")
    assert complete.selinux is Selinux.PERMISSIVE
    assert complete.services_enabled == ("sshd", "chronyd", "nftables")
    assert complete.services_disabled == ("cups",)
    assert complete.kernel_arguments == ("quiet", "console=ttyS0", 'dyndbg="file a.c +p"')
    assert complete.boot_timeout == 3
    assert complete.partitions == (
        Partition("/boot/efi", 200, "efi"),
        Partition("/", 1000),
        Partition("/var/lib/virtnode", 4000, "ext4"),
    )
    assert complete.thin_pool
    assert complete.install_disk == "/dev/disk/by-id/ata-boot"
    assert (complete.install_erases, complete.install_ends) == (True, "poweroff")


def test_scripts(complete: ImageConfig, tmp_path: Path) -> None:
    """Scripts keep their order, place and text, with included lines in it."""
    first, second = complete.post_scripts
    assert first.origin == Origin(tmp_path / "more.ks", 9)
    assert (first.text, first.chroot, first.error_on_fail) == ("true\n", True, False)
    assert second.text == 'echo "it\'s # fine"\n%post-like text is no section\necho included\n'
    assert (second.chroot, second.interpreter) == (False, "/bin/bash")
    assert (second.error_on_fail, second.log) == (True, "/root/post.log")


def test_defaults(tmp_path: Path) -> None:
    """A kickstart that names its base and nothing else takes the defaults."""
    path = write(tmp_path, "small.ks", ADDON)
    assert load_kickstart(path) == ImageConfig(source=path, base="debian")


def test_json_form(complete: ImageConfig) -> None:
    """The JSON form survives JSON, and is the same for the same kickstart."""
    form = config_as_json(complete)
    assert json.loads(json.dumps(form)) == form
    assert form["selinux"] == "permissive"
    assert form == config_as_json(load_kickstart(complete.source))


def test_one_fragment_may_repeat_a_value(tmp_path: Path) -> None:
    """The same value said twice is no contradiction."""
    text = ADDON + ADDON + "lang C.UTF-8\nlang C.UTF-8\nrootpw --lock\nrootpw --lock\n"
    assert problems_of(write(tmp_path, "again.ks", text)) == []


def test_line_ends_of_other_systems(tmp_path: Path) -> None:
    """Carriage returns are not taken into a script."""
    text = ADDON + "%post\ntrue\n%end\n"
    path = tmp_path / "dos.ks"
    path.write_bytes(text.replace("\n", "\r\n").encode())
    assert load_kickstart(path).post_scripts[0].text == "true\n"


@pytest.mark.parametrize("kickstart", sorted(BAD.glob("*.ks")), ids=lambda path: path.stem)
def test_bad_kickstart(kickstart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file of the folder gives exactly the problems that stand beside it, in one run."""
    monkeypatch.chdir(BAD)
    assert problems_of(Path(kickstart.name)) == kickstart.with_suffix(".expected").read_text().splitlines()


def test_passwords_stay_out_of_messages(tmp_path: Path) -> None:
    """No message repeats a word that may be a password."""
    commands = (
        "rootpw hunter2",
        "rootpw --iscrypted hunter2",
        "rootpw --plaintext hunter2",
        "rootpw one hunter2",
        "user --name=ann --password=hunter2",
        "user --name=ann hunter2",
        "user --name=ann --pass=hunter2",
        "rootpw --iscrypted 'hunter2",
        "bootloader --password=hunter2",
        "network --device=eth0 --wpakey=hunter2",
    )
    for command in commands:
        (problem,) = problems_of(write(tmp_path, "secret.ks", ADDON + command + "\n"))
        assert problem.startswith(f"{tmp_path / 'secret.ks'}:4: ")
        assert "hunter2" not in problem


def test_plain_password_names_the_remedy(tmp_path: Path) -> None:
    """A plain-text password is refused with the command that makes a hash."""
    (problem,) = problems_of(write(tmp_path, "plain.ks", ADDON + "rootpw hunter2\n"))
    assert "openssl passwd -6" in problem


@pytest.mark.parametrize(
    ("commands", "words"),
    [
        ("clearpart --none", "clearpart: option --none"),
        ("clearpart", "clearpart without --all"),
        ("clearpart --all --drives=sda,sdb", "clearpart --drives takes one disk"),
        ("ignoredisk --only-use=sda,sdb", "ignoredisk --only-use takes one disk"),
        ("ignoredisk --only-use=sd*", "ignoredisk --only-use takes one disk"),
        ("ignoredisk --only-use=sda\nclearpart --all --drives=sdb", "the disk to install to is also given"),
        ("reboot\npoweroff", "what an installation ends with is also given"),
    ],
)
def test_what_is_said_of_an_installation_is_one_thing(tmp_path: Path, commands: str, words: str) -> None:
    """One disk, all of it, and one end."""
    (problem,) = problems_of(write(tmp_path, "wrong.ks", ADDON + commands + "\n"))
    assert words in problem


def test_paths_are_shown_as_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path below the working directory is shown from there, also in included files."""
    write(tmp_path, "ks/parts/bad.ks", "text\n")
    path = write(tmp_path, "ks/node.ks", ADDON + "%include parts/../parts/bad.ks\ngraphical\n")
    monkeypatch.chdir(tmp_path)
    for given in (path, Path("ks/node.ks"), Path("ks/../ks/node.ks")):
        starts = [problem.partition(": ")[0] for problem in problems_of(given)]
        assert starts == ["ks/node.ks:5", "ks/parts/bad.ks:1"]


@pytest.mark.parametrize(
    ("content", "place"),
    [(b"lang C\nkeyboard \xff\n", ":2"), (b"lang C\n\n\x00\x01", ":3"), (b"\x7fELF\x00", ":1")],
    ids=["latin", "zeros", "program"],
)
def test_not_text(content: bytes, place: str, tmp_path: Path) -> None:
    """A file that is no text gives one line that says so."""
    path = tmp_path / "binary.ks"
    path.write_bytes(content)
    assert problems_of(path) == [f"{path}{place}: this is not text; a kickstart is UTF-8 text"]


def test_not_a_file(tmp_path: Path) -> None:
    """A path that leads nowhere, or to a directory, gives one line."""
    absent = tmp_path / "absent.ks"
    assert problems_of(absent) == [f"{absent}: there is no such file; a kickstart file is needed"]
    assert problems_of(tmp_path) == [
        f"{tmp_path}: cannot be read: Is a directory; a kickstart file is needed"
    ]


def test_time_zone_without_a_list() -> None:
    """Where the machine knows no time zones, only the shape is checked."""
    problems = Problems()
    check_timezone(problems, Origin(Path("a.ks"), 1), "Mars/Olympus", set())
    assert problems.lines() == []
    check_timezone(problems, Origin(Path("a.ks"), 2), "../etc", set())
    assert problems.lines() == ["a.ks:2: '../etc' is not a time zone; as in UTC or Europe/Prague"]


def ksvalidator_says(path: Path) -> str:
    """Return what pykickstart's own checker has against a kickstart, includes too.

    It looks for included files in the working directory, so it runs where the kickstart is.
    """
    argv = [str(KSVALIDATOR), "-i", path.name]
    result = subprocess.run(argv, cwd=path.parent, capture_output=True, text=True, check=False)
    complaints = [line for line in result.stdout.splitlines() if line and not line.startswith("Checking ")]
    return "" if result.returncode == 0 else "\n".join([*complaints, result.stderr])


def test_ksvalidator_finds_faults(tmp_path: Path) -> None:
    """The checker is really run: it refuses what is no kickstart."""
    assert "nonsense" in ksvalidator_says(write(tmp_path, "bad.ks", "nonsense\n"))


def test_ksvalidator_accepts_our_section(tmp_path: Path) -> None:
    """What we call correct, with several sections of our own and an include, is kickstart."""
    write_complete(tmp_path)
    # The checker warns of any second command for one device; anaconda takes VLANs that way, and so do we.
    text = COMPLETE.replace("network --device=bond0 --vlanid=100", "network --device=eth3 --vlanid=100")
    assert ksvalidator_says(write(tmp_path, "complete.ks", text)) == ""


@pytest.mark.parametrize("kickstart", sorted(KICKSTARTS.rglob("*.ks")), ids=lambda path: path.name)
def test_ksvalidator_accepts_our_kickstarts(kickstart: Path) -> None:
    """Every kickstart and fragment that we ship is kickstart to pykickstart's own checker."""
    assert ksvalidator_says(kickstart) == ""


@pytest.mark.parametrize("kickstart", sorted(KICKSTARTS.glob("node-*.ks")), ids=lambda path: path.name)
def test_our_kickstarts_load(kickstart: Path) -> None:
    """The node's kickstarts load without a problem."""
    assert problems_of(kickstart) == []
