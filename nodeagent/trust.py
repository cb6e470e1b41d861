"""Is this the engine that was pinned? Asked after its first message, before the node says anything."""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from nodeagent.join_error import JoinError
from nodelib.errors import Code, InvalidInput
from nodelib.ladder import Step
from nodelib.link import Hello

MAX_SKEW = 5 * 365.25 * 86400
"""Seconds that a dead clock may be behind; systemd starts one no earlier than its own release."""
PIN = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Verified:
    """A proven engine: the pin it was proven by, and how far its clock is before ours, in seconds."""

    pin: str
    skew: float


def read_pin(text: str) -> str:
    """Write a pin as `sha256:HEX`, whatever case and colons it was given with."""
    kind, _, digits = text.strip().lower().partition(":")
    pin = f"{kind}:{digits.replace(':', '')}"
    if not PIN.fullmatch(pin):
        raise InvalidInput(
            [f"{text!r} is not a pin"], "a pin is sha256: and 64 hexadecimal digits; the engine prints it"
        )
    return pin


def pin_of(certificate: x509.Certificate) -> str:
    """Name a certificate as it is pinned."""
    return f"sha256:{certificate.fingerprint(hashes.SHA256()).hex()}"


def read_authorities(pem: str) -> list[x509.Certificate]:
    """Read certificates from PEM; raises InvalidInput for what is none."""
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise InvalidInput([f"not certificates in PEM: {error}"]) from error


def pins_of(pem: str) -> tuple[str, ...]:
    """Name the certificates of a PEM text; an empty text has none."""
    return tuple(pin_of(one) for one in read_authorities(pem)) if pem.strip() else ()


def verify_engine(hello: Hello, leaf: bytes, pins: Sequence[str], now: float) -> Verified:
    """Prove that whoever holds the key of `leaf` (DER) is an engine of a pinned authority.

    `hello` is what it said first: it brings the authorities' certificates, of which only those that match a
    pin count. Raises JoinError at the step TLS_PIN, or CLOCK where nothing but the time is wrong.
    """
    try:
        authorities = read_authorities(hello.ca)
        certificate = x509.load_der_x509_certificate(leaf)
    except ValueError as error:
        raise _denied("the other end's certificate cannot be read", "is this the engine's port?") from error
    except InvalidInput as error:
        raise _denied("the other end shows no certificate authority", "is this the engine's port?") from error
    pinned = [one for one in authorities if pin_of(one) in pins]
    if not pinned:
        shown = ", ".join(pin_of(one) for one in authorities) or "none"
        raise _denied(
            f"the other end's authority is {shown}, which is not the pinned one",
            "compare with the pin that the engine prints (virtnode-engine ca show), then join again",
        )
    issuer = next((one for one in pinned if _is_issued_by(certificate, one)), None)
    if issuer is None:
        raise _denied(
            "the other end's certificate is not issued by the pinned authority",
            "somebody may stand between this node and its engine",
        )
    if not _serves(certificate):
        raise _denied("the other end's certificate is not an engine's", "a node may pose as the engine")
    return Verified(pin_of(issuer), _check_time(certificate, issuer, hello.time, now))


def verify_pinned(chain: Sequence[bytes], pins: Sequence[str]) -> None:
    """Prove that a server is pinned, or is issued by what is pinned and shown along (DER, its own first).

    Raises JoinError at the step TLS_PIN. The time is not looked at: a node may fetch before it knows it.
    """
    try:
        certificates = [x509.load_der_x509_certificate(one) for one in chain]
    except ValueError as error:
        raise _denied("the server's certificate cannot be read", "is this an HTTPS server?") from error
    pinned = [one for one in certificates if pin_of(one) in pins]
    leaf = certificates[0] if certificates else None
    if leaf is None or not any(one is leaf or _is_issued_by(leaf, one) for one in pinned):
        raise _denied(
            "the server shows no certificate that is pinned", "compare with the pin that the engine prints"
        )
    if leaf not in pinned and not _serves(leaf):
        raise _denied("the server's certificate is not a server's", "a node may pose as the server")


def _check_time(leaf: x509.Certificate, issuer: x509.Certificate, told: float, now: float) -> float:
    """Return how far our clock is behind. The engine's word counts only where ours is before its certificate.

    Were it believed elsewhere, whoever stole a key could have its expired certificate accepted.
    """
    skew = told - now
    start = max(one.not_valid_before_utc.timestamp() for one in (leaf, issuer))
    end = min(one.not_valid_after_utc.timestamp() for one in (leaf, issuer))
    if start <= now <= end or (now < start <= told <= end and skew <= MAX_SKEW):
        return skew
    ours, theirs = (
        datetime.datetime.fromtimestamp(one, datetime.UTC).strftime("%Y-%m-%d %H:%M") for one in (now, end)
    )
    if now > end:
        raise JoinError(
            Step.CLOCK,
            Code.DENIED,
            f"the engine's certificate expired at {theirs} UTC, and it is {ours} UTC here",
            "set this machine's clock if it is wrong; else renew the engine's certificate",
        )
    raise JoinError(
        Step.CLOCK,
        Code.DENIED,
        f"this machine's clock says {ours} UTC, which is before the engine's certificate",
        "set the clock in the firmware setup, or name NTP servers",
    )


def _is_issued_by(leaf: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        if not authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        leaf.verify_directly_issued_by(authority)
    except (x509.ExtensionNotFound, ValueError, TypeError, InvalidSignature):
        return False
    return True


def _serves(leaf: x509.Certificate) -> bool:
    try:
        usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return ExtendedKeyUsageOID.SERVER_AUTH in usage


def _denied(message: str, hint: str) -> JoinError:
    return JoinError(Step.TLS_PIN, Code.DENIED, message, hint)
