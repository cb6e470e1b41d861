"""Statements on clusters and data centres."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from engine.store.schema import CLUSTERS, DATACENTERS


@dataclass(frozen=True)
class DatacenterRow:
    """A data centre: what holds clusters."""

    id: str
    name: str
    description: str


@dataclass(frozen=True)
class ClusterRow:
    """A cluster: what holds nodes."""

    id: str
    name: str
    description: str
    datacenter_id: str


ALL_DATACENTERS = select(DATACENTERS).order_by(DATACENTERS.c.name)
ALL_CLUSTERS = select(CLUSTERS).order_by(CLUSTERS.c.name)


def list_datacenters(connection: Connection) -> tuple[DatacenterRow, ...]:
    """List all data centres by name."""
    rows = connection.execute(ALL_DATACENTERS)
    return tuple(DatacenterRow(**row._mapping) for row in rows)


def list_clusters(connection: Connection) -> tuple[ClusterRow, ...]:
    """List all clusters by name."""
    rows = connection.execute(ALL_CLUSTERS)
    return tuple(ClusterRow(**row._mapping) for row in rows)
