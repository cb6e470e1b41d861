"""A certificate authority for tests: what an engine issues, and what an impostor would show."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = 86400.0
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, PEM."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        """The certificate as a peer shows it."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> str:
        """The certificate as it travels."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write certificate and key as a server wants them."""
        certificate, key = folder / "server.pem", folder / "server-key.pem"
        certificate.write_text(self.pem)
        key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, key


class Authority:
    """Issues certificates at a given time."""

    def __init__(self, now: float, name: str = "CA") -> None:
        self.now = now
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(self.name, self.name, now - 30 * DAY, now + 3650 * DAY)
        builder = builder.public_key(self.key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.certificate = builder.sign(self.key, hashes.SHA256())

    @property
    def pem(self) -> str:
        """The authority's own certificate."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def pin(self) -> str:
        """What a node is given."""
        return f"sha256:{self.certificate.fingerprint(hashes.SHA256()).hex()}"

    def issue(
        self,
        *,
        usage: x509.ObjectIdentifier | None = SERVER,
        start: float = -DAY,
        end: float = 90 * DAY,
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> Issued:
        """Issue a certificate over a new key; `start` and `end` are relative to now."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        return Issued(self._sign(key.public_key(), usage, start, end), key)

    def sign_csr(self, csr: str, *, start: float = -300.0, end: float = 90 * DAY) -> str:
        """Issue a node's certificate: PEM."""
        public_key = x509.load_pem_x509_csr(csr.encode()).public_key()
        assert isinstance(public_key, ec.EllipticCurvePublicKey)
        return self._sign(public_key, CLIENT, start, end).public_bytes(Encoding.PEM).decode()

    def _sign(
        self,
        public_key: ec.EllipticCurvePublicKey,
        usage: x509.ObjectIdentifier | None,
        start: float,
        end: float,
    ) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leaf")])
        builder = _builder(name, self.name, self.now + start, self.now + end).public_key(public_key)
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return builder.sign(self.key, hashes.SHA256())


def _builder(subject: x509.Name, issuer: x509.Name, start: float, end: float) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime.fromtimestamp(start, datetime.UTC))
        .not_valid_after(datetime.datetime.fromtimestamp(end, datetime.UTC))
    )
