"""Statements on the certificates that the engine has issued to nodes."""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, bindparam, func, insert, select, update

from engine.store.schema import CERTIFICATES


@dataclass(frozen=True)
class CertificateRow:
    """A certificate: whose, over which key, by which authority, until when; and whether it was revoked."""

    serial: str
    """Hexadecimal."""
    node_id: str
    fingerprint: str
    """SHA-256 of the DER, in hexadecimal."""
    key_fingerprint: str
    authority: str
    """SHA-256 of the issuer's DER, in hexadecimal."""
    issued_at: float
    expires: float
    revoked_at: float | None = None
    revoked_reason: str | None = None


INSERT = insert(CERTIFICATES)
BY_SERIAL = select(CERTIFICATES).where(CERTIFICATES.c.serial == bindparam("wanted"))
REVOCATION = (
    select(CERTIFICATES.c.revoked_reason)
    .where(
        CERTIFICATES.c.key_fingerprint == bindparam("key"),
        CERTIFICATES.c.revoked_at.is_not(None),
        CERTIFICATES.c.revoked_reason.in_(bindparam("reasons", expanding=True)),
    )
    .limit(1)
)


def insert_certificate(connection: Connection, row: CertificateRow) -> None:
    """Remember a certificate before it is given away."""
    connection.execute(INSERT, [asdict(row)])


def find_certificate(connection: Connection, serial: str) -> CertificateRow | None:
    """Find a certificate by its serial."""
    row = connection.execute(BY_SERIAL, {"wanted": serial}).first()
    return None if row is None else CertificateRow(**row._mapping)


def list_certificates(connection: Connection, node_id: str) -> tuple[CertificateRow, ...]:
    """List what a node was given, the oldest first."""
    query = select(CERTIFICATES).where(CERTIFICATES.c.node_id == node_id)
    rows = connection.execute(query.order_by(CERTIFICATES.c.issued_at, CERTIFICATES.c.serial))
    return tuple(CertificateRow(**row._mapping) for row in rows)


def revoke_certificates(connection: Connection, node_id: str, *, reason: str, now: float) -> None:
    """Revoke all that a node was given, or change why."""
    connection.execute(
        update(CERTIFICATES)
        .where(CERTIFICATES.c.node_id == node_id)
        .values(revoked_at=func.coalesce(CERTIFICATES.c.revoked_at, now), revoked_reason=reason)
    )


def find_key_revocation(connection: Connection, key_fingerprint: str, reasons: tuple[str, ...]) -> str | None:
    """Tell why a key may not be used any more, if one of these reasons holds."""
    found = connection.execute(REVOCATION, {"key": key_fingerprint, "reasons": reasons}).scalar()
    return None if found is None else str(found)


def count_valid_certificates(connection: Connection, authority: str, now: float) -> int:
    """Count the nodes that still hold a good certificate of an authority, and no later one of another."""
    later = CERTIFICATES.alias()
    superseded = (
        select(later.c.serial)
        .where(later.c.node_id == CERTIFICATES.c.node_id, later.c.issued_at > CERTIFICATES.c.issued_at)
        .exists()
    )
    query = select(func.count(func.distinct(CERTIFICATES.c.node_id))).where(
        CERTIFICATES.c.authority == authority,
        CERTIFICATES.c.expires > now,
        CERTIFICATES.c.revoked_at.is_(None),
        ~superseded,
    )
    return int(connection.execute(query).scalar_one())
