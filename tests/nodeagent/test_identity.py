"""The node's key and what is issued over it, on a real file system."""

import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nodeagent.identity import IDENTITY, Membership, Validity, load_identity
from nodelib.errors import VirtnodeError
from tests.nodeagent.authority import DAY, Authority


def test_the_key_is_made_once_and_only_root_reads_it(tmp_path: Path) -> None:
    """A second start finds the same key."""
    first = load_identity(tmp_path)
    assert (tmp_path / IDENTITY).stat().st_mode & 0o777 == 0o700
    assert first.key_file.stat().st_mode & 0o777 == 0o600
    second = load_identity(tmp_path)
    assert second.fingerprint == first.fingerprint
    assert second.code == first.code
    assert [path.name for path in first.folder.iterdir()] == ["key.pem"]


def test_a_key_that_cannot_be_read_is_not_lost(tmp_path: Path) -> None:
    """It is kept aside, and the node gets another one."""
    first = load_identity(tmp_path)
    first.key_file.write_text("garbage")
    second = load_identity(tmp_path)
    assert second.fingerprint != first.fingerprint
    assert (second.folder / "key.pem.unreadable").read_text() == "garbage"


def test_another_key_is_another_node(tmp_path: Path) -> None:
    """Certificate and name go with the former key; the authorities that are trusted stay."""
    authority = Authority(time.time())
    identity = load_identity(tmp_path)
    identity.store_certificate(authority.sign_csr(identity.make_csr("x")))
    identity.store_membership(Membership("engine", "1", "node1"))
    identity.store_trusted(authority.pem)
    before = identity.fingerprint
    identity.renew_key()
    assert identity.fingerprint != before
    assert load_identity(tmp_path).fingerprint == identity.fingerprint
    assert (identity.validity(), identity.membership()) == (None, Membership())
    assert identity.trusted_pem() == authority.pem
    identity.store_certificate(authority.sign_csr(identity.make_csr("x")))
    assert identity.validity() is not None


def test_a_request_is_signed_by_the_key(tmp_path: Path) -> None:
    """The request is consistent, and the proof verifies with its key."""
    identity = load_identity(tmp_path)
    request = x509.load_pem_x509_csr(identity.make_csr("n" * 100).encode())
    assert request.is_signature_valid
    key = request.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == identity.public_key
    key.verify(bytes.fromhex(identity.sign(b"proof")), b"proof", ec.ECDSA(hashes.SHA256()))


def test_a_certificate_must_be_over_the_nodes_key(tmp_path: Path) -> None:
    """Another node's certificate and garbage are refused; the right one is kept until the node leaves."""
    authority = Authority(time.time())
    identity = load_identity(tmp_path)
    other = load_identity(tmp_path / "other")
    with pytest.raises(VirtnodeError, match="another node's key"):
        identity.store_certificate(authority.sign_csr(other.make_csr("x")))
    with pytest.raises(VirtnodeError, match="no certificate"):
        identity.store_certificate("garbage")
    assert identity.validity() is None
    identity.store_certificate(authority.sign_csr(identity.make_csr("x"), start=-DAY, end=2 * DAY))
    validity = identity.validity()
    assert validity is not None
    assert validity.end == pytest.approx(time.time() + 2 * DAY, abs=5)
    identity.store_membership(Membership("engine", "id", "name"))
    assert load_identity(tmp_path).membership() == Membership("engine", "id", "name")
    identity.forget()
    assert load_identity(tmp_path).validity() is None
    assert identity.membership() == Membership()


def test_broken_files_are_as_good_as_none(tmp_path: Path) -> None:
    """A certificate or a membership that cannot be read makes the node register again."""
    identity = load_identity(tmp_path)
    identity.certificate_file.write_text("garbage")
    (identity.folder / "membership.json").write_text("{")
    assert identity.validity() is None
    assert identity.membership() == Membership()


def test_renewal_is_at_two_thirds() -> None:
    """Of 90 days, 60 are used."""
    assert Validity(0.0, 90 * DAY).renewal() == 60 * DAY
