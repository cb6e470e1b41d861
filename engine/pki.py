"""Keys and certificates: the engine's authority, its own certificate, and those of nodes.

An authority is one file with key and certificate, in `ca/`: `active.pem` issues, `next.pem` will, and
`former.pem` did. To change it without losing a node:

1. `stage` makes the next authority. Nodes are told to trust both from then on.
2. `activate` lets it issue: the engine's own certificate at once, nodes' as they renew. Both stay trusted.
3. `retire` drops the former one, once no node needs it. New nodes must be given the new pin from step 2 on.

Each step ends with one renaming of a file, so an engine that dies midway is before or after it. Times are
seconds since 1970. Only this module imports cryptography.
"""

import functools
import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey as EcPublicKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from engine.files import sync_folder, write_file
from nodelib.approval import key_fingerprint
from nodelib.errors import Code, VirtnodeError

AUTHORITY_DAYS = 3650
SERVER_DAYS = 397
BACKDATED = timedelta(minutes=5)
"""How much a node's clock may be behind the engine's."""
LARGEST_CSR = 10_000

PublicKey = EcPublicKey | Ed25519PublicKey


@dataclass(frozen=True)
class Authority:
    """A certificate authority: its key, and its certificate."""

    key: EllipticCurvePrivateKey
    certificate: x509.Certificate

    @functools.cached_property
    def pem(self) -> str:
        """The certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate's DER, in hexadecimal."""
        return hashlib.sha256(self.certificate.public_bytes(serialization.Encoding.DER)).hexdigest()

    @property
    def pin(self) -> str:
        """What a person gives to a node, so that it trusts nobody else."""
        return f"sha256:{self.fingerprint}"

    @property
    def expires(self) -> float:
        """When it ends."""
        return self.certificate.not_valid_after_utc.timestamp()


@dataclass(frozen=True)
class NodeKey:
    """A node's public key, from a request that the key itself signed."""

    public_key: bytes
    """DER SubjectPublicKeyInfo."""

    @property
    def fingerprint(self) -> str:
        """The key's name, as people compare it."""
        return key_fingerprint(self.public_key)


@dataclass(frozen=True)
class Issued:
    """A certificate for a node, and what to remember of it."""

    pem: str
    serial: str
    fingerprint: str
    authority: str
    issued_at: float
    expires: float


class Pki:
    """The authority of one engine, in a folder of its own."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "ca"
        self._server = home / "server.pem"
        self._read: dict[str, tuple[bytes, Authority]] = {}
        """What each file of an authority held when it was last read, and what that is."""

    @property
    def server_file(self) -> Path:
        """The file with the engine's own key and certificate."""
        return self._server

    def prepare(self, now: float) -> bool:
        """Make the authority if there is none yet; true when it was made."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (self._folder / "active.pem").exists():
            return False
        # Between the two renamings of `activate` nothing is missing; here the folder is new, or damaged.
        if (self._folder / "former.pem").exists() or (self._folder / "next.pem").exists():
            raise _broken(self._folder / "active.pem")
        write_file(self._folder / "active.pem", _dump(make_authority(now)))
        return True

    def active(self) -> Authority:
        """Load the authority that issues."""
        found = self._load("active")
        if found is None:
            raise _broken(self._folder / "active.pem")
        return found

    def staged(self) -> Authority | None:
        """Load the authority that will issue."""
        return self._load("next")

    def former(self) -> Authority | None:
        """Load the authority that issued before, unless it is the active one still."""
        found = self._load("former")
        return None if found is None or found.fingerprint == self.active().fingerprint else found

    def trusted(self) -> tuple[Authority, ...]:
        """List the authorities whose certificates count, the active one first."""
        return tuple(one for one in (self.active(), self.staged(), self.former()) if one is not None)

    def trust_bundle(self) -> str:
        """Lay out as PEM what nodes are to trust."""
        return "".join(one.pem for one in self.trusted())

    def stage(self, now: float) -> Authority:
        """Make the next authority."""
        if self.staged() is not None:
            raise VirtnodeError(Code.CONFLICT, "the next authority is there already", "go on: ca activate")
        if self.former() is not None:
            raise VirtnodeError(Code.CONFLICT, "the last change is not done", "finish it first: ca retire")
        made = make_authority(now)
        write_file(self._folder / "next.pem", _dump(made))
        return made

    def activate(self) -> Authority:
        """Let the next authority issue, and keep the present one as the former."""
        if self.staged() is None:
            raise VirtnodeError(Code.CONFLICT, "there is no next authority", "make one first: ca stage")
        write_file(self._folder / "former.pem", (self._folder / "active.pem").read_bytes())
        (self._folder / "next.pem").replace(self._folder / "active.pem")
        sync_folder(self._folder)
        return self.active()

    def retire(self) -> None:
        """Trust the former authority no longer."""
        if self.former() is None:
            raise VirtnodeError(Code.CONFLICT, "there is no former authority", "ca show tells how it stands")
        (self._folder / "former.pem").unlink()
        sync_folder(self._folder)

    def renew_server_certificate(self, names: Sequence[str], now: float) -> bool:
        """Make the engine's own certificate anew if names, authority or time ask for it; true when made."""
        authority = self.active()
        if self._server.exists() and _serves(self._server.read_bytes(), authority, names, now):
            return False
        key = generate_ec_key(SECP256R1())
        certificate = _issue_server_certificate(authority, key.public_key(), names, now)
        write_file(self._server, _dump(Authority(key, certificate)))
        return True

    def issue(self, node: str, public_key: bytes, *, days: float, now: float) -> Issued:
        """Certify a node's key: the name is the engine's choice, and nothing else is in it."""
        authority = self.active()
        start = datetime.fromtimestamp(now, UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, node)]))
            .issuer_name(authority.certificate.subject)
            .public_key(_load_public_key(public_key))
            .serial_number(x509.random_serial_number())
            .not_valid_before(start - BACKDATED)
            .not_valid_after(start + timedelta(days=days))
        )
        certificate = _for_purpose(builder, authority, ExtendedKeyUsageOID.CLIENT_AUTH).sign(
            authority.key, hashes.SHA256()
        )
        return Issued(
            pem=certificate.public_bytes(serialization.Encoding.PEM).decode(),
            serial=f"{certificate.serial_number:x}",
            fingerprint=hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest(),
            authority=authority.fingerprint,
            issued_at=now,
            expires=certificate.not_valid_after_utc.timestamp(),
        )

    def _load(self, name: str) -> Authority | None:
        path = self._folder / f"{name}.pem"
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        known = self._read.get(name)
        if known is not None and known[0] == content:
            return known[1]
        try:
            found = _parse(content)
        except ValueError as error:
            raise _broken(path) from error
        self._read[name] = (content, found)
        return found


def make_authority(now: float) -> Authority:
    """Make a certificate authority of ten years; each has a name of its own, so that two are told apart."""
    key = generate_ec_key(SECP256R1())
    start = datetime.fromtimestamp(now, UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, f"virtnode engine CA {identifier.digest.hex()[:12]}")]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - BACKDATED)
        .not_valid_after(start + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(key, certificate)


def read_csr(pem: str) -> NodeKey:
    """Take the key out of a certificate request, and nothing else.

    Raises VirtnodeError (invalid) for what is no request, is not signed by its own key, or has a key of
    another kind than P-256 and Ed25519.
    """
    hint = "the node makes its request itself: virtnodectl join"
    if len(pem) > LARGEST_CSR:
        raise VirtnodeError(Code.INVALID, "the certificate request is too large", hint)
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        key = request.public_key()
        signed = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise VirtnodeError(Code.INVALID, "the certificate request cannot be read", hint) from error
    if not _is_allowed(key):
        raise VirtnodeError(Code.INVALID, "the node's key is neither P-256 nor Ed25519", hint)
    if not signed:
        raise VirtnodeError(Code.INVALID, "the certificate request is not signed by its own key", hint)
    return NodeKey(
        key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def is_signed(public_key: bytes, signature: str, message: bytes) -> bool:
    """Tell whether a key signed a message; `signature` is hexadecimal."""
    key = _load_public_key(public_key)
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(bytes.fromhex(signature), message)
        else:
            key.verify(bytes.fromhex(signature), message, ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True)
class KeyPair:
    """A private key as a simulated node has it."""

    key: EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        """The key as PEM, not encrypted."""
        return _key_pem(self.key).decode()

    def make_csr(self, name: str = "node") -> str:
        """Ask for a certificate over this key, as PEM."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        request = (
            x509.CertificateSigningRequestBuilder().subject_name(subject).sign(self.key, hashes.SHA256())
        )
        return request.public_bytes(serialization.Encoding.PEM).decode()

    def sign(self, message: bytes) -> str:
        """Sign a message, in hexadecimal."""
        return self.key.sign(message, ECDSA(hashes.SHA256())).hex()


def make_key_pair() -> KeyPair:
    """Make a key as a node does."""
    return KeyPair(generate_ec_key(SECP256R1()))


def pins_of(bundle: str) -> dict[str, str]:
    """Name each certificate of a PEM bundle by its pin."""
    return {
        f"sha256:{one.fingerprint(hashes.SHA256()).hex()}": one.public_bytes(
            serialization.Encoding.PEM
        ).decode()
        for one in x509.load_pem_x509_certificates(bundle.encode())
    }


def _is_allowed(key: object) -> bool:
    if isinstance(key, EcPublicKey):
        return key.curve.name == "secp256r1"
    return isinstance(key, Ed25519PublicKey)


def _load_public_key(public_key: bytes) -> PublicKey:
    key = serialization.load_der_public_key(public_key)
    if not isinstance(key, EcPublicKey | Ed25519PublicKey):
        raise VirtnodeError(Code.INVALID, "the node's key is neither P-256 nor Ed25519")
    return key


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _for_purpose(
    builder: x509.CertificateBuilder, authority: Authority, purpose: x509.ObjectIdentifier
) -> x509.CertificateBuilder:
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
        .add_extension(issuer, critical=False)
    )


def _issue_server_certificate(
    authority: Authority, key: EcPublicKey, names: Sequence[str], now: float
) -> x509.Certificate:
    start = datetime.fromtimestamp(now, UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "virtnode engine")]))
        .issuer_name(authority.certificate.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - BACKDATED)
        .not_valid_after(start + timedelta(days=SERVER_DAYS))
        .add_extension(x509.SubjectAlternativeName(_general_names(names)), critical=False)
    )
    return _for_purpose(builder, authority, ExtendedKeyUsageOID.SERVER_AUTH).sign(
        authority.key, hashes.SHA256()
    )


def _general_names(names: Sequence[str]) -> list[x509.GeneralName]:
    general: list[x509.GeneralName] = []
    for name in names:
        try:
            general.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            try:
                general.append(x509.DNSName(name))
            except ValueError as error:
                raise VirtnodeError(
                    Code.INVALID, f"{name!r} is no name of a host", "write it in ASCII letters"
                ) from error
    return general


def _serves(content: bytes, authority: Authority, names: Sequence[str], now: float) -> bool:
    """Tell whether the engine's certificate is by this authority, for these names, and far from its end."""
    try:
        certificate = _parse(content).certificate
        certificate.verify_directly_issued_by(authority.certificate)
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    left = certificate.not_valid_after_utc.timestamp() - now
    return set(alternatives) == set(_general_names(names)) and left > SERVER_DAYS * 86400 / 3


def _dump(one: Authority) -> bytes:
    return _key_pem(one.key) + one.pem.encode()


def _key_pem(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _parse(content: bytes) -> Authority:
    key = serialization.load_pem_private_key(content, password=None)
    certificate = x509.load_pem_x509_certificate(content)
    if not isinstance(key, EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
        raise ValueError("key and certificate do not belong together")
    return Authority(key, certificate)


def _broken(path: Path) -> VirtnodeError:
    return VirtnodeError(
        Code.FAILED, f"{path} is missing or broken", "restore a backup: virtnode-engine restore FILE"
    )
