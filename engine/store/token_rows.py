"""Statements on join tokens."""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, bindparam, insert, select, update

from engine.store.schema import TOKENS


@dataclass(frozen=True)
class TokenRow:
    """A join token: its public name, the digest of the whole, and how often it still lets a node in."""

    id: str
    digest: str
    uses: int
    used: int
    created_at: float
    created_by: str
    expires: float
    revoked_at: float | None = None


BY_ID = select(TOKENS).where(TOKENS.c.id == bindparam("wanted"))
TAKE_USE = (
    update(TOKENS)
    .where(
        TOKENS.c.id == bindparam("wanted"),
        TOKENS.c.used < TOKENS.c.uses,
        TOKENS.c.expires > bindparam("now"),
        TOKENS.c.revoked_at.is_(None),
    )
    .values(used=TOKENS.c.used + 1)
)


def insert_token(connection: Connection, row: TokenRow) -> None:
    """Add a token."""
    connection.execute(insert(TOKENS), [asdict(row)])


def find_token(connection: Connection, token_id: str) -> TokenRow | None:
    """Find a token by its public name."""
    row = connection.execute(BY_ID, {"wanted": token_id}).first()
    return None if row is None else TokenRow(**row._mapping)


def list_tokens(connection: Connection) -> tuple[TokenRow, ...]:
    """List all tokens, the newest first."""
    rows = connection.execute(select(TOKENS).order_by(TOKENS.c.created_at.desc(), TOKENS.c.id))
    return tuple(TokenRow(**row._mapping) for row in rows)


def take_use(connection: Connection, token_id: str, now: float) -> bool:
    """Use a token once; false when it is used up, over or revoked. One statement, so nobody comes between."""
    taken = connection.execute(TAKE_USE, {"wanted": token_id, "now": now})
    return taken.rowcount == 1


def revoke_token(connection: Connection, token_id: str, now: float) -> bool:
    """Let a token let nobody in any more; false where there is none of that name."""
    done = connection.execute(update(TOKENS).where(TOKENS.c.id == token_id).values(revoked_at=now))
    return done.rowcount == 1
