"""The tables as they are today; how they came to be is in `migrations`. Times are seconds since 1970."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
)

METADATA = MetaData()

DATACENTERS = Table(
    "datacenters",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("description", Text, nullable=False),
)
CLUSTERS = Table(
    "clusters",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("datacenter_id", Text, ForeignKey("datacenters.id"), nullable=False),
)
NODES = Table(
    "nodes",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("comment", Text, nullable=False),
    Column("cluster_id", Text, ForeignKey("clusters.id"), nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("since", Double, nullable=False),
    Column("maintenance", Boolean, nullable=False),
    Column("public_key", Text, nullable=False),
    Column("fingerprint", Text, nullable=False, unique=True),
    Column("code", Text, nullable=False),
    Column("hardware_uuid", Text, nullable=False),
    Column("serial_number", Text, nullable=False),
    Column("claims", Text),
    Column("certificate_serial", Text),
    Column("certificate_expires", Double),
    Column("facts", Text, nullable=False),
    Column("ladder", Text, nullable=False),
    Column("heartbeat", Text),
    Column("address", Text, nullable=False),
    Column("last_seen", Double),
    Column("last_error", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("approved_at", Double),
    Column("approved_by", Text),
    Column("token_id", Text),
)
CERTIFICATES = Table(
    "certificates",
    METADATA,
    Column("serial", Text, primary_key=True),
    Column("node_id", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("key_fingerprint", Text, nullable=False),
    Column("authority", Text, nullable=False),
    Column("issued_at", Double, nullable=False),
    Column("expires", Double, nullable=False),
    Column("revoked_at", Double),
    Column("revoked_reason", Text),
)
TOKENS = Table(
    "tokens",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("uses", Integer, nullable=False),
    Column("used", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires", Double, nullable=False),
    Column("revoked_at", Double),
)
EVENTS = Table(
    "events",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("time", Double, nullable=False),
    Column("severity", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("correlation", Text, nullable=False),
    Column("node_id", Text),
    Column("identifier", Text),
    Column("before", Text),
    Column("after", Text),
)
ACCOUNTS = Table(
    "accounts",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("password", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("last_login", Double),
)
SESSIONS = Table(
    "sessions",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("address", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("last_used", Double, nullable=False),
    Column("expires", Double, nullable=False),
)
SETTINGS = Table(
    "settings",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
