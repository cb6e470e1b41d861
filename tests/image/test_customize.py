"""customize and validate, on media that the real makers made: what is written, and that nothing else is."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from image.artefacts import describe_artefact
from image.custom_places import Form, find_form, find_places
from image.main import main
from image.sums import write_sums
from nodelib.config_area import AREA_FILE, ConfigArea, parse_area
from nodelib.run import run
from tests.image.custom_media import make_media
from tests.nodeagent.node_trees import PIN, SSH_KEY

TOKEN = "tk-very-secret"
OPTIONS = ("--engine", "engine.example.org", "--ca", PIN, "--token", TOKEN, "--ssh-key", SSH_KEY)
KARGS = ("--karg", "hugepages=8", "--karg", "node.config=http://192.0.2.1/${mac}.toml?a=b")
ADDED = "hugepages=8 node.config=http://192.0.2.1/${mac}.toml?a=b"
SHOWN = ADDED.replace("?a=b", "(hidden)")
"""What people see of it: the query of a URL may be secret."""
NAME = "virtnode-0.1.0-x86_64"


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make every medium once, with the sums of a build."""
    out = make_media(tmp_path_factory.mktemp("media"), "iso", "pxe", "disk")
    write_sums(out)
    return out


def customize(*words: str | Path) -> int:
    """Run the verb in this process."""
    return main(["customize", *(str(word) for word in words)])


def changed_offsets(one: Path, other: Path) -> set[int]:
    """Compare two files of a size, and name the blocks of 2 KiB that differ."""
    a, b = one.read_bytes(), other.read_bytes()
    assert len(a) == len(b)
    return {at for at in range(0, len(a), 2048) if a[at : at + 2048] != b[at : at + 2048]}


def test_an_iso_is_customised_in_place_of_its_area_alone(media: Path, tmp_path: Path) -> None:
    """Engine, pin, token, key and kernel arguments; every other byte stays, and so says `inspect`."""
    source, made = media / f"{NAME}.iso", tmp_path / "mine.iso"
    assert customize(source, "-o", made, *OPTIONS, *KARGS) == 0
    places = find_places(made, find_form(made))
    assert places.arguments is not None
    ranges = [(place.offset, place.offset + len(place.blank)) for place in (places.area, places.arguments)]
    changed = changed_offsets(source, made)
    assert changed
    assert all(any(start <= at < end for start, end in ranges) for at in changed)
    run(["xorriso", "-osirrox", "on", "-indev", made, "-extract", f"/{AREA_FILE}", tmp_path / "area"])
    payload = parse_area((tmp_path / "area").read_bytes()).payload.decode()
    for word in ("engine.example.org", PIN, TOKEN, SSH_KEY):
        assert word in payload
    found = describe_artefact(made, media / "SHA256SUMS")
    assert (found.embedded.rest, found.embedded.arguments) == ("as built", SHOWN)
    assert all(entry.arguments.endswith(SHOWN) for entry in found.menu)
    assert TOKEN not in json.dumps(found.embedded.config)


def test_the_arguments_are_a_script_that_grub_reads(media: Path, tmp_path: Path) -> None:
    """Both the menu and what it sources are right by GRUB's own checker."""
    if shutil.which("grub-script-check") is None:
        pytest.skip("grub-script-check is not there; grub-common brings it")
    made = tmp_path / "mine.iso"
    assert customize(media / f"{NAME}.iso", "-o", made, *KARGS) == 0
    for name in ("custom.cfg", "grub.cfg"):
        out = tmp_path / name
        run(["xorriso", "-osirrox", "on", "-indev", made, "-extract", f"/boot/grub/{name}", out])
        run(["grub-script-check", out])
    assert f"set node_arguments='{ADDED}'" in (tmp_path / "custom.cfg").read_text()


@pytest.mark.parametrize("name", [f"{NAME}.iso", "pxe", "disk.raw"])
def test_reset_gives_back_what_was_built(media: Path, tmp_path: Path, name: str) -> None:
    """Customised twice in place and reset, an artefact is byte for byte the original."""
    source = media / name
    if name == "disk.raw":
        source = tmp_path / "original.raw"
        run(["zstd", "-q", "-d", media / f"{NAME}.raw.zst", "-o", source])
    made = tmp_path / name
    (shutil.copytree if source.is_dir() else shutil.copyfile)(source, made)
    assert customize(made, "--in-place", *OPTIONS, *KARGS) == 0
    assert customize(made, "--in-place", "--karg", "other=1") == 0
    assert find_places(made, find_form(made)).read_arguments() == "other=1"
    assert describe_artefact(made, source).embedded.rest == "as built"
    assert customize(made, "--in-place", "--reset") == 0
    for path in [source] if source.is_file() else [one for one in source.rglob("*") if one.is_file()]:
        twin = made / path.relative_to(source) if source.is_dir() else made
        assert twin.read_bytes() == path.read_bytes(), path


def test_a_pxe_folder_has_it_in_an_archive_and_in_three_menus(media: Path, tmp_path: Path) -> None:
    """cpio unpacks the area; iPXE, GRUB and PXELINUX load the archive and add the arguments."""
    made = tmp_path / "pxe"
    assert customize(media / "pxe", "-o", made, *OPTIONS, *KARGS) == 0
    cpio = ["cpio", "--extract", "--make-directories", "--quiet"]
    with (made / "config.img").open("rb") as archive:
        subprocess.run(cpio, stdin=archive, cwd=tmp_path, check=True)
    assert TOKEN in parse_area((tmp_path / AREA_FILE).read_bytes()).payload.decode()
    assert f"\nset node_arguments {ADDED}\n" in (made / "boot.ipxe").read_text()
    assert f"\nset node_arguments='{ADDED}'\n" in (made / "grub.cfg").read_text()
    appends = [line for line in (made / "pxelinux.cfg/default").read_text().splitlines() if "APPEND" in line]
    assert len([line for line in appends if line.endswith(f" {ADDED}")]) == 4
    found = describe_artefact(made, media / "SHA256SUMS").embedded
    assert (found.rest, found.arguments, found.has_area) == ("as built", SHOWN, True)
    (made / "vmlinuz").write_bytes(b"another")
    assert describe_artefact(made, media / "SHA256SUMS").embedded.rest == "CHANGED"


@pytest.mark.parametrize(
    ("source", "target"), [("raw.zst", "raw"), ("raw.zst", "raw.zst"), ("qcow2", "qcow2")]
)
def test_a_disk_image_is_unpacked_and_packed_as_asked(
    media: Path, tmp_path: Path, source: str, target: str
) -> None:
    """The name says the form; the EFI system partition's own file and GRUB's are what changes."""
    made = tmp_path / f"mine.{target}"
    assert customize(media / f"{NAME}.{source}", "-o", made, *OPTIONS, *KARGS) == 0
    assert [path.name for path in tmp_path.iterdir()] == [made.name]
    assert find_form(made) == Form(target)
    found = describe_artefact(made, media / f"{NAME}.qcow2")
    assert (found.embedded.rest, found.embedded.arguments) == ("as built", SHOWN)
    assert found.embedded.config["engine"]["address"] == "engine.example.org"


def test_a_disk_s_area_is_the_file_that_mtools_reads(media: Path, tmp_path: Path) -> None:
    """The range found on the raw disk is the file that the node's kernel will see."""
    made = tmp_path / "mine.raw"
    assert customize(media / f"{NAME}.raw.zst", "-o", made, *OPTIONS, *KARGS) == 0
    esp = f"{made}@@{2 * 1024 * 1024}"
    run(["mcopy", "-i", esp, f"::{AREA_FILE}", "::grub/custom.cfg", tmp_path])
    assert TOKEN in parse_area((tmp_path / "config.img").read_bytes()).payload.decode()
    assert ADDED in (tmp_path / "custom.cfg").read_text()


def test_a_folder_of_links_leaves_the_other_folder_alone(
    media: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a web server shows under two names is customised under one; an engine without a pin is told."""
    run(["cp", "-al", media / "pxe", tmp_path / "pxe"])
    assert customize(tmp_path / "pxe", "--in-place", "--engine", "one", *KARGS) == 0
    assert "note: no --ca is given" in capsys.readouterr().err
    assert find_places(media / "pxe", Form.PXE).read_area() == ConfigArea()
    assert find_places(media / "pxe", Form.PXE).read_arguments() == ""
    assert find_places(tmp_path / "pxe", Form.PXE).read_arguments() == ADDED


def test_the_file_is_the_base_and_options_win(media: Path, tmp_path: Path) -> None:
    """A node.toml, keys of a file, and the pin of a certificate."""
    answer, keys, made = tmp_path / "node.toml", tmp_path / "keys", tmp_path / "mine.iso"
    answer.write_text('[system]\nhostname = "one"\n[engine]\naddress = "two"\n')
    keys.write_text(f"# mine\n{SSH_KEY}\n")
    pem, der = tmp_path / "ca.pem", tmp_path / "ca.der"
    openssl: list[str | Path] = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ed25519",
        "-noenc",
        "-subj",
        "/CN=ca",
        "-out",
        pem,
    ]
    run([*openssl, "-keyout", tmp_path / "ca.key"])
    run(["openssl", "x509", "-in", pem, "-outform", "DER", "-out", der])
    digest = run(["sha256sum", der]).stdout.split()[0]
    words = ("--config", answer, "--engine", "three", "--ssh-key", keys, "--ca", pem)
    assert customize(media / f"{NAME}.iso", "-o", made, *words) == 0
    assert describe_artefact(made).embedded.config == {
        "version": 2,
        "system": {"hostname": "one"},
        "engine": {"address": "three", "ca": [f"sha256:{digest}"]},
        "access": {"ssh_keys": [SSH_KEY]},
    }


def test_what_is_signed_says_so(media: Path, tmp_path: Path) -> None:
    """Any other key than Ed25519 is refused before anything is written."""
    key, made = tmp_path / "key.pem", tmp_path / "mine.iso"
    run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key])
    assert customize(media / f"{NAME}.iso", "-o", made, *OPTIONS, "--sign", key) == 0
    assert describe_artefact(made).embedded.signed
    run(["openssl", "genpkey", "-algorithm", "x25519", "-out", key])
    assert customize(media / f"{NAME}.iso", "-o", tmp_path / "b.iso", *OPTIONS, "--sign", key) == 2
    assert not (tmp_path / "b.iso").exists()


def test_inspect_says_it_to_people_without_secrets(
    media: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tokens are hidden, and what a URL may hold of them, in the table and as JSON."""
    made = tmp_path / "mine.iso"
    url = f"node.config=https://site:{TOKEN}@boot.example.org/${{mac}}.toml?key={TOKEN}"
    words = ("--karg", f"node.token={TOKEN}", "--karg", url)
    assert customize(media / f"{NAME}.iso", "-o", made, *OPTIONS, *words) == 0
    for more in ([], ["--json"]):
        assert main(["inspect", str(made), "--original", str(media / f"{NAME}.iso"), *more]) == 0
        out = capsys.readouterr().out
        assert TOKEN not in out
        assert "node.config=https://boot.example.org/${mac}.toml(hidden)" in out
        assert "engine.example.org" in out
        assert "node.token=(hidden)" in out
        assert "as built" in out
    assert main(["inspect", str(media / f"{NAME}.iso")]) == 0
    assert "nothing" in capsys.readouterr().out


def damage_area(iso: Path) -> None:
    """Flip a byte of the payload."""
    place = find_places(iso, Form.ISO).area
    data = bytearray(place.read())
    data[520] ^= 1
    place.write(bytes(data))


def damage_root(iso: Path) -> None:
    """Change a byte that is none of ours."""
    with iso.open("r+b") as file:
        os.pwrite(file.fileno(), b"X", 40 * 1024)


@pytest.mark.parametrize(
    ("damage", "problem", "rest"), [(damage_area, "checksum", "as built"), (damage_root, "", "CHANGED")]
)
def test_damage_is_told(
    media: Path, tmp_path: Path, damage: Callable[[Path], None], problem: str, rest: str
) -> None:
    """Of the area by its checksum, of the rest by the build's sums."""
    made = tmp_path / "mine.iso"
    assert customize(media / f"{NAME}.iso", "-o", made, *OPTIONS) == 0
    damage(made)
    found = describe_artefact(made, media / "SHA256SUMS").embedded
    assert problem in found.problem
    assert found.rest == rest


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--karg", "a;b"], "a boot menu would act upon"),
        (["--karg", "a='b'"], "a boot menu would act upon"),
        (["--karg", "a=${root}"], "a boot menu would act upon"),
        (["--karg", "a b"], "a boot menu would act upon"),
        (["--karg", "a=" + "x" * 1100], "there is room for 1024"),
        (["--engine", "a b", "--token", TOKEN + " x"], "engine.address"),
        (["--ca", "/nowhere.pem"], "there is no /nowhere.pem"),
        (["--ssh-key", "ssh-ed25519 AAAA"], "access.ssh_keys"),
        (["--sign", "x"], "there is nothing to embed"),
        (["--reset", "--karg", "a"], "--reset goes with nothing else"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_written(
    media: Path, tmp_path: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong input is exit status 2, one clear line each, without the secret."""
    made = tmp_path / "mine.iso"
    assert customize(media / f"{NAME}.iso", "-o", made, *words) in (1, 2)
    error = capsys.readouterr().err
    assert said in error
    assert TOKEN not in error
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_customised_says_why(
    media: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Packed images in place, media without an area, wrong endings, and names that are taken."""
    (tmp_path / "text").write_text("x" * 40000)
    plain = tmp_path / "plain.iso"
    run(["xorriso", "-as", "mkisofs", "-quiet", "-R", "-o", plain, media / "pxe/pxelinux.cfg"])
    cases: list[tuple[list[str | Path], str]] = [
        ([media / f"{NAME}.raw.zst", "--in-place"], "is packed"),
        ([media / f"{NAME}.qcow2", "-o", tmp_path / "x.img"], "does not say what form"),
        ([media / f"{NAME}.iso", "-o", media / f"{NAME}.iso"], "is there already"),
        ([media / "pxe", "-o", tmp_path], "is there already"),
        ([tmp_path / "text", "--in-place"], "cannot be customised"),
        ([tmp_path / "none", "--in-place"], "there is no"),
        ([plain, "--in-place"], "plain.iso"),
    ]
    for words, said in cases:
        assert customize(*words, "--karg", "a=1") != 0
        assert said in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain.iso", "text"]


def test_a_menu_that_would_not_hand_them_on_takes_no_arguments(
    media: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A menu that somebody replaced; what would have no effect is not promised. The rest can be embedded."""
    changed, menu = tmp_path / "changed.iso", tmp_path / "grub.cfg"
    menu.write_text("menuentry 'mine' {\n  linux /boot/vmlinuz quiet\n}\n")
    argv: list[str | Path] = ["xorriso", "-indev", media / f"{NAME}.iso", "-outdev", changed]
    run([*argv, "-boot_image", "any", "replay", "-update", menu, "/boot/grub/grub.cfg"])
    assert customize(changed, "--in-place", "--karg", "a=1") == 2
    assert "does not take kernel arguments" in capsys.readouterr().err
    assert customize(changed, "--in-place", *OPTIONS) == 0


def test_a_configuration_that_is_too_long_has_no_room(
    media: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """64 KiB hold a great many keys, and no more."""
    answer = tmp_path / "node.toml"
    answer.write_text(f"[dns]\nsearch = {json.dumps([f'a{n}.example.org' for n in range(4000)])}\n")
    assert customize(media / f"{NAME}.iso", "-o", tmp_path / "a.iso", "--config", answer) == 2
    assert "the config area has room for" in capsys.readouterr().err


def test_validate_tells_every_problem_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With file and line, as the node itself would; a right file is one line."""
    answer = tmp_path / "node.toml"
    answer.write_text('[system]\nhostname = "a b"\n[network]\nbonds = 3\n[ntp]\nservers = "x"\n')
    assert main(["validate", str(answer)]) == 2
    lines = capsys.readouterr().err.splitlines()
    for number, key in ((2, "system.hostname"), (4, "network.bonds"), (6, "ntp.servers")):
        assert any(line.startswith(f"{answer}:{number}: {key}") for line in lines), lines
    answer.write_text('[system]\nhostname = "a"\n')
    assert main(["validate", str(answer)]) == 0
    assert capsys.readouterr().out == f"{answer}: nothing is wrong with it\n"


def test_the_archive_and_the_area_of_a_build_are_blank(media: Path) -> None:
    """Nothing is embedded before somebody embeds it."""
    for name in (f"{NAME}.iso", "pxe"):
        places = find_places(media / name, find_form(media / name))
        assert places.read_area() == ConfigArea()
        assert places.read_arguments() == ""
