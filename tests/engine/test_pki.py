"""Keys and certificates."""

import datetime
import hashlib
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from engine.pki import BACKDATED, Pki, is_signed, make_key_pair, read_csr
from nodelib.errors import Code, VirtnodeError
from tests.engine.worlds import START

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    """Make an authority."""
    made = Pki(tmp_path)
    assert made.prepare(START)
    return made


def make_csr(key: Key, name: str = "root") -> str:
    """Ask for a certificate with everything in it that one might like to have."""
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("engine.example")]), critical=False)
        .sign(key, algorithm)
    )
    return request.public_bytes(serialization.Encoding.PEM).decode()


def test_the_authority_is_made_once(pki: Pki, tmp_path: Path) -> None:
    """Its key stays where only its owner reads it, and its pin is the digest of its certificate."""
    first = pki.active()
    assert not pki.prepare(START)
    assert pki.active().pin == first.pin
    encoded = first.certificate.public_bytes(serialization.Encoding.DER)
    assert first.pin == f"sha256:{hashlib.sha256(encoded).hexdigest()}"
    assert stat.S_IMODE((tmp_path / "ca/active.pem").stat().st_mode) == 0o600
    assert first.expires - START == pytest.approx(3650 * 86400)


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()]
)
def test_only_the_key_is_taken_from_a_request(pki: Pki, key: Key) -> None:
    """Name, purpose and time are the engine's choice, whatever was asked for."""
    issued = pki.issue("the-node", read_csr(make_csr(key)).public_key, days=90, now=START)
    certificate = x509.load_pem_x509_certificate(issued.pem.encode())
    assert certificate.public_key() == key.public_key()
    assert certificate.subject.rfc4514_string() == "CN=the-node"
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    with pytest.raises(x509.ExtensionNotFound):
        certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    start = datetime.datetime.fromtimestamp(START, datetime.UTC)
    assert certificate.not_valid_before_utc == start - BACKDATED
    assert certificate.not_valid_after_utc == start + datetime.timedelta(days=90)
    assert int(issued.serial, 16) == certificate.serial_number
    assert issued.fingerprint == certificate.fingerprint(hashes.SHA256()).hex()


@pytest.mark.parametrize(
    "key",
    [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)],
    ids=["P-384", "RSA"],
)
def test_other_keys_are_refused(key: Key) -> None:
    """Two kinds of key are enough."""
    with pytest.raises(VirtnodeError, match="neither P-256 nor Ed25519"):
        read_csr(make_csr(key))


def forged_csr() -> str:
    """Change a request after it was signed."""
    encoded = bytearray(x509.load_pem_x509_csr(make_key_pair().make_csr().encode()).public_bytes(
        serialization.Encoding.DER
    ))  # fmt: skip
    encoded[encoded.index(b"node")] ^= 1
    return ssl.DER_cert_to_PEM_cert(bytes(encoded)).replace("CERTIFICATE", "CERTIFICATE REQUEST")


@pytest.mark.parametrize(
    ("csr", "message"),
    [
        ("", "cannot be read"),
        ("\ud800", "cannot be read"),
        ("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "cannot be read"),
        ("x" * 20_000, "too large"),
        (forged_csr(), "not signed by its own key"),
    ],
    ids=["empty", "surrogate", "garbage", "large", "forged"],
)
def test_what_is_no_request_is_refused(csr: str, message: str) -> None:
    """Each wrong request gets one clear line."""
    with pytest.raises(VirtnodeError, match=message) as refused:
        read_csr(csr)
    assert refused.value.code is Code.INVALID
    assert refused.value.hint


def test_signatures() -> None:
    """A proof is good for one message and one key."""
    key, other = make_key_pair(), make_key_pair()
    public = read_csr(key.make_csr()).public_key
    assert is_signed(public, key.sign(b"this"), b"this")
    assert not is_signed(public, key.sign(b"this"), b"that")
    assert not is_signed(public, other.sign(b"this"), b"this")
    assert not is_signed(public, "no hexadecimal", b"this")
    signer = ed25519.Ed25519PrivateKey.generate()
    assert is_signed(read_csr(make_csr(signer)).public_key, signer.sign(b"this").hex(), b"this")


def test_the_engines_certificate_is_made_when_it_must(pki: Pki) -> None:
    """Other names, an end that comes near or another authority make it anew; nothing else does."""
    names = ("engine.example", "192.0.2.7", "2001:db8::7")
    assert pki.renew_server_certificate(names, START)
    assert not pki.renew_server_certificate(names, START + 86400)
    certificate = x509.load_pem_x509_certificate(pki.server_file.read_bytes())
    alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternatives.get_values_for_type(x509.DNSName) == ["engine.example"]
    assert [str(one) for one in alternatives.get_values_for_type(x509.IPAddress)] == [
        "192.0.2.7",
        "2001:db8::7",
    ]
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert stat.S_IMODE(pki.server_file.stat().st_mode) == 0o600
    assert pki.renew_server_certificate((*names, "more.example"), START)
    assert pki.renew_server_certificate((*names, "more.example"), START + 300 * 86400)
    pki.server_file.write_bytes(pki.server_file.read_bytes()[:100])
    assert pki.renew_server_certificate(names, START)


def test_the_authority_changes_in_three_steps(pki: Pki) -> None:
    """Two are trusted in between, and certificates are by the one that is active."""
    first = pki.active()
    second = pki.stage(START + 10)
    assert pki.active().pin == first.pin
    assert {one.pin for one in pki.trusted()} == {first.pin, second.pin}
    pki.renew_server_certificate(("a.example",), START)
    pki.activate()
    assert pki.renew_server_certificate(("a.example",), START)
    public = read_csr(make_key_pair().make_csr()).public_key
    assert pki.issue("node", public, days=90, now=START).authority == second.fingerprint
    assert {one.pin for one in pki.trusted()} == {first.pin, second.pin}
    pki.retire()
    assert pki.trust_bundle() == second.pem


def test_steps_out_of_order_are_refused(pki: Pki) -> None:
    """Nothing is lost by typing the wrong step."""
    pin = pki.active().pin
    for step in (pki.activate, pki.retire):
        with pytest.raises(VirtnodeError) as refused:
            step()
        assert refused.value.code is Code.CONFLICT
    pki.stage(START)
    with pytest.raises(VirtnodeError, match="already"):
        pki.stage(START)
    assert pki.active().pin == pin


def test_activation_that_was_cut_short_can_be_done_again(pki: Pki, tmp_path: Path) -> None:
    """An engine that died after keeping the former authority is before the step."""
    first = pki.active()
    second = pki.stage(START)
    (tmp_path / "ca/former.pem").write_bytes((tmp_path / "ca/active.pem").read_bytes())
    assert pki.active().pin == first.pin
    assert pki.former() is None
    assert pki.activate().pin == second.pin


def test_a_broken_authority_is_never_made_anew(pki: Pki, tmp_path: Path) -> None:
    """Another authority would lock every node out; the error says to restore a backup."""
    active = tmp_path / "ca/active.pem"
    active.write_bytes(active.read_bytes()[:50])
    with pytest.raises(VirtnodeError, match=r"active\.pem is missing or broken") as broken:
        pki.active()
    assert "restore" in broken.value.hint
    active.rename(tmp_path / "ca/former.pem")
    with pytest.raises(VirtnodeError, match="missing or broken"):
        pki.prepare(START)


def test_a_name_that_is_none_is_refused(pki: Pki) -> None:
    """A wrong --name gives one line."""
    with pytest.raises(VirtnodeError, match="no name of a host"):
        pki.renew_server_certificate(("bücher.example",), START)
