"""Update bundles: made, signed, inspected, and read by standard tools; a damaged one is never vouched for."""

import dataclasses
import hashlib
import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from image.bundle import read_bundle
from image.main import main
from image.media import Payload
from image.media.update import make_update
from image.signing import read_public_key
from nodelib.codec import decode
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run
from nodelib.update_bundle import SIGNED_PREFIX, BundleFile, BundleManifest
from tests.image.keys import make_keys
from tests.image.payloads import EPOCH, RELEASE, make_payload
from tests.image.small_media import make_kernel, make_root

NAME = "virtnode-0.1.0-x86_64.update"
MEMBERS = ["manifest.json", "signatures.json", "vmlinuz", "initrd.img", "root.squashfs"]


def small_payload(folder: Path, *keys: Path) -> Payload:
    """Make a payload whose kernel and root can be looked into."""
    payload = dataclasses.replace(make_payload(folder), sign_keys=keys)
    payload.kernel.write_bytes(make_kernel())
    return dataclasses.replace(payload, rootfs=make_root(folder))


def make_bundle(folder: Path, *keys: Path) -> Path:
    """Make a bundle."""
    folder.mkdir(exist_ok=True)
    return make_update(small_payload(folder / "payload", *keys), folder, folder)[0]


def test_a_bundle_holds_what_a_slot_needs_in_order(tmp_path: Path) -> None:
    """tar lists it; the manifest tells size and sum of each file, packages and the kickstart's arguments."""
    payload = small_payload(tmp_path / "payload")
    [path] = make_update(payload, tmp_path, tmp_path)
    assert path.name == NAME
    assert run(["tar", "-tf", path]).stdout.split() == MEMBERS
    with tarfile.open(path) as tar:
        assert {(info.uid, info.gid, info.uname, info.mode, info.mtime) for info in tar} == {
            (0, 0, "", 0o644, EPOCH)
        }
    run(["tar", "-xf", path, "-C", tmp_path])
    sources = (payload.kernel, payload.initramfs, payload.rootfs)
    for name, source in zip(MEMBERS[2:], sources, strict=True):
        assert (tmp_path / name).read_bytes() == source.read_bytes()
    files = {
        name: BundleFile(source.stat().st_size, hashlib.sha256(source.read_bytes()).hexdigest())
        for name, source in zip(MEMBERS[2:], sources, strict=True)
    }
    found = decode(BundleManifest, json.loads((tmp_path / "manifest.json").read_bytes()))
    assert found == BundleManifest(
        product="virtnode",
        version="0.1.0",
        build_id=RELEASE.build_id,
        architecture="x86_64",
        system="Debian GNU/Linux 13",
        made=float(EPOCH),
        arguments=("quiet",),
        files=files,
        packages=dict(RELEASE.packages),
        intent_version=2,
    )


def test_a_bundle_is_the_same_every_time(tmp_path: Path) -> None:
    """Equal files and keys make equal bytes, signed or not."""
    key, _ = make_keys(tmp_path, "site")
    for keys in ((), (key,)):
        made = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir(exist_ok=True)
            payload = dataclasses.replace(make_payload(tmp_path / name / "payload"), sign_keys=keys)
            made += make_update(payload, tmp_path, tmp_path / name)
        assert made[0].read_bytes() == made[1].read_bytes()


def test_openssl_verifies_a_signature(tmp_path: Path) -> None:
    """Ed25519 over the line of its purpose and the very bytes of the manifest, by a key that is named."""
    key, public = make_keys(tmp_path, "site")
    bundle = read_bundle(make_bundle(tmp_path / "out", key))
    [signature] = bundle.signatures
    assert signature.key == read_public_key(public).identifier
    (tmp_path / "der").write_bytes(b"")
    run(["openssl", "pkey", "-pubin", "-in", public, "-outform", "DER", "-out", tmp_path / "der"])
    assert hashlib.sha256((tmp_path / "der").read_bytes()).hexdigest() == signature.key
    (tmp_path / "signed").write_bytes(SIGNED_PREFIX + bundle.signed)
    (tmp_path / "signature").write_bytes(bytes.fromhex(signature.signature))
    argv: list[str | Path] = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public]
    run([*argv, "-in", tmp_path / "signed", "-sigfile", tmp_path / "signature"])


def test_sign_adds_to_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The payload stays; signing by the build or later makes the same bytes; a key counts once."""
    keys = [make_keys(tmp_path, name)[0] for name in ("old", "new")]
    # One payload for both: the times of its files are in its root.
    payload = small_payload(tmp_path / "payload")
    for name in ("plain", "signed"):
        (tmp_path / name).mkdir()
    [bundle] = make_update(payload, tmp_path, tmp_path / "plain")
    [built] = make_update(dataclasses.replace(payload, sign_keys=tuple(keys)), tmp_path, tmp_path / "signed")
    before = bundle.read_bytes()
    copy = tmp_path / "copy.update"
    assert main(["sign", str(bundle), "--key", str(keys[0]), "-o", str(copy)]) == 0
    assert bundle.read_bytes() == before
    for _ in range(2):
        assert main(["sign", str(copy), "--key", str(keys[1])]) == 0
    assert copy.read_bytes() == built.read_bytes()
    assert capsys.readouterr().out.count("signed by the key") == 5
    assert not list(tmp_path.glob(".*"))


def flip(path: Path, offset: int) -> None:
    """Change one bit."""
    with path.open("r+b") as file:
        byte = os.pread(file.fileno(), 1, offset)[0]
        os.pwrite(file.fileno(), bytes([byte ^ 1]), offset)


def test_a_damaged_bundle_is_not_signed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One bit of the payload is enough; inspect names the file and fails, and nothing is left behind."""
    key, _ = make_keys(tmp_path, "site")
    path = make_bundle(tmp_path / "out", key)
    flip(path, read_bundle(path).members[0].offset + 3000)
    assert main(["sign", str(path), "--key", str(key), "-o", str(tmp_path / "copy")]) == 2
    assert "damaged update bundle: vmlinuz" in capsys.readouterr().err
    assert not (tmp_path / "copy").exists()
    assert main(["inspect", str(path)]) == 1
    assert "DAMAGED: vmlinuz" in capsys.readouterr().out


def test_inspect_says_who_signed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By name where the key is among those given; a wrong signature, and none, fail."""
    key, public = make_keys(tmp_path / "mine", "site")
    make_keys(tmp_path / "theirs", "other")
    path = make_bundle(tmp_path / "out", key)
    assert main(["inspect", str(path), "--keys", str(public.parent)]) == 0
    text = capsys.readouterr().out
    assert f"signed by site ({read_public_key(public).identifier[:16]})\n" in text
    assert "update for virtnode on x86_64: Debian GNU/Linux 13, 2 packages" in text
    assert "whole: its files are as it says" in text
    assert main(["inspect", str(path), "--keys", str(tmp_path / "theirs/public")]) == 1
    assert "not among those given" in capsys.readouterr().out
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"version": "0.1.0"', b'"version": "0.1.1"'))
    assert main(["inspect", str(path), "--keys", str(public.parent)]) == 1
    assert ": WRONG\n" in capsys.readouterr().out
    assert main(["inspect", str(make_bundle(tmp_path / "unsigned")), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["kind"], shown["update"]["signers"], shown["update"]["damaged"]) == ("update", [], [])
    assert shown["update"]["manifest"]["packages"] == dict(RELEASE.packages)


def test_a_folder_may_hold_a_bundle_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """inspect and why-size look into it: product, kernel and root are found inside."""
    make_bundle(tmp_path / "out")
    shutil.rmtree(tmp_path / "out/payload")
    assert main(["inspect", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    for words in ("virtnode 0.1.0", "6.12.1-test", "squashfs, xz", "not signed: nodes refuse it"):
        assert words in text
    assert main(["why-size", str(tmp_path / "out")]) == 0
    assert "usr/bin/tool" in capsys.readouterr().out


def test_nobody_customises_a_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line says why."""
    path = make_bundle(tmp_path / "out")
    for where in (["--in-place"], ["-o", str(tmp_path / "mine.update")]):
        assert main(["customize", str(path), *where, "--karg", "a=1"]) == 2
        assert "is an update bundle, which takes no configuration" in capsys.readouterr().err


def rewrite(path: Path, names: list[str], contents: dict[str, bytes]) -> Path:
    """Pack some members of a bundle anew, in another order or with other contents."""
    with tarfile.open(path) as old:
        data = {}
        for name in MEMBERS:
            file = old.extractfile(name)
            assert file is not None
            data[name] = file.read()
    (path.parent / "new").mkdir()
    for name in names:
        (path.parent / "new" / name).write_bytes({**data, **contents}[name])
    made = path.parent / "rewritten.update"
    run(["tar", "--format=ustar", "-C", path.parent / "new", "-cf", made, *names])
    return made


@pytest.mark.parametrize(
    ("names", "contents", "said"),
    [
        ([*MEMBERS[:2], *reversed(MEMBERS[2:])], {}, "it holds manifest.json, signatures.json, root"),
        (MEMBERS[:4], {}, "it holds"),
        (MEMBERS, {"vmlinuz": b"short"}, "vmlinuz is not as long as its manifest says"),
        (MEMBERS, {"manifest.json": b"{}"}, "build_id: missing"),
        (MEMBERS, {"manifest.json": b"no"}, "not JSON"),
        (MEMBERS, {"manifest.json": b'{"schema": 2}'}, "its schema is 2"),
        (MEMBERS, {"signatures.json": b"x" * (4 << 20) + b"x"}, "signatures.json is too large"),
    ],
)
def test_what_is_no_bundle_is_one_clear_line(
    tmp_path: Path, names: list[str], contents: dict[str, bytes], said: str
) -> None:
    """Another order, a missing file, wrong lengths and a manifest that nobody can read."""
    path = rewrite(make_bundle(tmp_path), names, contents)
    with pytest.raises(VirtnodeError, match=said) as caught:
        read_bundle(path)
    assert caught.value.code is Code.INVALID
    assert "\n" not in caught.value.message


def test_a_truncated_bundle_is_damaged(tmp_path: Path) -> None:
    """Wherever the copy ended."""
    path = make_bundle(tmp_path)
    for size in (path.stat().st_size - 20_000, 70_000, 1500, 600):
        os.truncate(path, size)
        with pytest.raises(VirtnodeError, match="damaged update bundle"):
            read_bundle(path)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: make_keys(folder, "x", "x25519")[1], "is no Ed25519 key"),
        (lambda folder: make_keys(folder, "x")[0], "is a private key, which stays at home"),
        (lambda folder: Path(shutil.copy(__file__, folder / "text.pem")), "is no public key in PEM"),
        (lambda folder: folder / "absent.pem", "is no public key in PEM"),
        (lambda folder: Path(shutil.copy(make_keys(folder, "a")[1], folder / "a b.pem")), "is no name"),
    ],
)
def test_only_public_keys_that_can_verify_are_taken(tmp_path: Path, make: object, said: str) -> None:
    """Anything else is one line and what to do."""
    assert callable(make)
    with pytest.raises(VirtnodeError, match=said) as caught:
        read_public_key(make(tmp_path))
    assert caught.value.code is Code.INVALID
    assert caught.value.hint


def test_one_file_is_one_key(tmp_path: Path) -> None:
    """Whoever puts two keys into a file would trust the first alone."""
    one, two = (make_keys(tmp_path, name)[1] for name in ("one", "two"))
    both = tmp_path / "both.pem"
    both.write_bytes(one.read_bytes() + two.read_bytes())
    with pytest.raises(VirtnodeError, match="holds several keys"):
        read_public_key(both)
