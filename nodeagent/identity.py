"""Who this node is: its key, made once, and what the engine issued over it."""

import logging
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from nodeagent.durable import remove_durably, write_durably
from nodelib.approval import approval_code, key_fingerprint
from nodelib.codec import decode_lenient, encode, parse_json, to_json
from nodelib.errors import Code, VirtnodeError

logger = logging.getLogger(__name__)

IDENTITY = "var/lib/virtnode/identity"


@dataclass(frozen=True)
class Membership:
    """What the engine calls this node."""

    engine: str = ""
    """The address of the engine that said so."""
    node: str = ""
    name: str = ""


@dataclass(frozen=True)
class Validity:
    """When a certificate is valid, in seconds since 1970."""

    start: float
    end: float

    def renewal(self) -> float:
        """Tell when two thirds of the time are over."""
        return self.start + (self.end - self.start) * 2 / 3


class Identity:
    """The node's key, certificate, trusted authorities and membership, in a folder only root reads."""

    def __init__(self, folder: Path, key: ec.EllipticCurvePrivateKey) -> None:
        self.folder = folder
        self._key = key

    @property
    def public_key(self) -> bytes:
        """The public key: DER, SubjectPublicKeyInfo."""
        return self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def fingerprint(self) -> str:
        """The key's name in full."""
        return key_fingerprint(self.public_key)

    @property
    def code(self) -> str:
        """The key's name in short: what is compared when the node is approved."""
        return approval_code(self.public_key)

    @property
    def key_file(self) -> Path:
        """The private key."""
        return self.folder / "key.pem"

    @property
    def certificate_file(self) -> Path:
        """The certificate over it, if the engine issued one."""
        return self.folder / "node.pem"

    def make_csr(self, hostname: str) -> str:
        """Ask for a certificate over the key: PEM. The engine takes nothing but the key from it."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:64] or "node")])
        request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(self._key, hashes.SHA256())
        return request.public_bytes(Encoding.PEM).decode()

    def sign(self, data: bytes) -> str:
        """Prove that the key is here: an ECDSA signature over SHA-256, in hexadecimal."""
        return self._key.sign(data, ec.ECDSA(hashes.SHA256())).hex()

    def validity(self) -> Validity | None:
        """Tell when the certificate is valid; None without one."""
        certificate = self._load_certificate()
        if certificate is None:
            return None
        return Validity(
            certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
        )

    def store_certificate(self, pem: str) -> None:
        """Keep what the engine issued. Raises VirtnodeError (invalid) for a certificate over another key."""
        try:
            certificate = x509.load_pem_x509_certificate(pem.encode())
            key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        except ValueError as error:
            raise VirtnodeError(Code.INVALID, "the engine sent what is no certificate") from error
        if key != self.public_key:
            raise VirtnodeError(Code.INVALID, "the engine sent a certificate over another node's key")
        write_durably(self.certificate_file, pem.encode())

    def membership(self) -> Membership:
        """Tell what the engine called this node last."""
        try:
            text = (self.folder / "membership.json").read_text()
            return decode_lenient(Membership, parse_json(text))
        except (FileNotFoundError, VirtnodeError):
            return Membership()

    def store_membership(self, membership: Membership) -> None:
        """Keep what the engine calls this node."""
        if membership != self.membership():
            write_durably(self.folder / "membership.json", to_json(encode(membership)).encode())

    def trusted_pem(self) -> str:
        """Return the authorities that a trusted engine named after the join: PEM, empty without any."""
        try:
            return (self.folder / "trusted.pem").read_text()
        except FileNotFoundError:
            return ""

    def store_trusted(self, pem: str) -> None:
        """Keep the authorities that the engine named, checked by the caller."""
        write_durably(self.folder / "trusted.pem", pem.encode())

    def forget(self) -> None:
        """Leave the engine: certificate, authorities and name go, the key stays."""
        for name in ("node.pem", "trusted.pem", "membership.json"):
            remove_durably(self.folder / name)

    def renew_key(self) -> None:
        """Be another node from now on: a new key, and nothing of what was issued over the one before."""
        for name in ("node.pem", "membership.json"):
            remove_durably(self.folder / name)
        self._key = _make_key(self.key_file)

    def _load_certificate(self) -> x509.Certificate | None:
        try:
            certificate = x509.load_pem_x509_certificate(self.certificate_file.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:
            logger.warning("%s cannot be read; the node registers again", self.certificate_file)
            return None
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return certificate if key == self.public_key else None


def load_identity(root: Path) -> Identity:
    """Find this node's identity below `root`, or make one; an unreadable key is kept beside the new one."""
    folder = root / IDENTITY
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    path = folder / "key.pem"
    if path.exists():
        try:
            key = load_pem_private_key(path.read_bytes(), None)
            if isinstance(key, ec.EllipticCurvePrivateKey):
                return Identity(folder, key)
        except (ValueError, TypeError):
            pass
        path.rename(folder / "key.pem.unreadable")
        logger.warning("%s cannot be read: kept as key.pem.unreadable, a new key is made", path)
    return Identity(folder, _make_key(path))


def _make_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    write_durably(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key
