"""Version 2: images, and who is updated to which."""

from sqlalchemy import Connection, text

STATEMENTS = (
    """CREATE TABLE images (
        digest TEXT NOT NULL PRIMARY KEY,
        size_bytes BIGINT NOT NULL,
        product TEXT NOT NULL,
        version TEXT NOT NULL,
        build_id TEXT NOT NULL,
        system TEXT NOT NULL,
        architecture TEXT NOT NULL,
        made DOUBLE PRECISION NOT NULL,
        signers TEXT NOT NULL,
        packages TEXT NOT NULL,
        added_at DOUBLE PRECISION NOT NULL,
        added_by TEXT NOT NULL
    )""",
    "CREATE INDEX images_by_build ON images (build_id)",
    """CREATE TABLE rolls (
        id TEXT NOT NULL PRIMARY KEY,
        cluster_id TEXT NOT NULL REFERENCES clusters (id),
        digest TEXT NOT NULL,
        version TEXT NOT NULL,
        build_id TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        stop_guests BOOLEAN NOT NULL,
        actor TEXT NOT NULL,
        correlation TEXT NOT NULL,
        started DOUBLE PRECISION NOT NULL,
        since DOUBLE PRECISION NOT NULL,
        finished DOUBLE PRECISION
    )""",
    "CREATE UNIQUE INDEX rolls_under_way ON rolls (cluster_id) WHERE finished IS NULL",
    """CREATE TABLE roll_nodes (
        roll_id TEXT NOT NULL REFERENCES rolls (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        node_id TEXT NOT NULL,
        name TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (roll_id, position)
    )""",
    """CREATE TABLE updates (
        node_id TEXT NOT NULL PRIMARY KEY REFERENCES nodes (id) ON DELETE CASCADE,
        digest TEXT NOT NULL,
        size_bytes BIGINT NOT NULL,
        version TEXT NOT NULL,
        build_id TEXT NOT NULL,
        build_before TEXT NOT NULL,
        phase TEXT NOT NULL,
        reason TEXT NOT NULL,
        action TEXT NOT NULL,
        mark DOUBLE PRECISION,
        was_active BOOLEAN NOT NULL,
        stop_guests BOOLEAN NOT NULL,
        standing BOOLEAN NOT NULL,
        roll_id TEXT,
        actor TEXT NOT NULL,
        correlation TEXT NOT NULL,
        started DOUBLE PRECISION NOT NULL,
        deadline DOUBLE PRECISION NOT NULL,
        since DOUBLE PRECISION NOT NULL
    )""",
    "CREATE INDEX updates_standing ON updates (standing)",
)


def apply(connection: Connection) -> None:
    """Make the tables of images, updates and rolls."""
    for statement in STATEMENTS:
        connection.execute(text(statement))
