"""Clusters and data centres."""

from collections.abc import Callable

import anyio.to_thread

from engine.rest.endpoint import API_PATH, Call
from engine.rest.resources import CLUSTER, DATA_CENTER
from engine.rest.search import parse_search
from engine.rest.shapes import Document, Shape, Value
from engine.rest.updates import roll_summary
from engine.store import node_rows, place_rows
from engine.store.database import Connection
from engine.store.place_rows import DatacenterRow
from nodelib.errors import Code, VirtnodeError
from nodelib.link import NodeState

LEVEL: Document = {"major": 4, "minor": 7}
"""The compatibility level that clients are told: oVirt's latest."""


async def list_clusters(call: Call) -> Value:
    """List the clusters that a search finds."""
    return _found(call, CLUSTER, await _load_clusters(call))


async def get_cluster(call: Call) -> Value:
    """Show a cluster."""
    return _one(call, await _load_clusters(call), "cluster")


async def list_data_centers(call: Call) -> Value:
    """List the data centres that a search finds."""
    return _found(call, DATA_CENTER, await _load(call, data_center_documents))


async def get_data_center(call: Call) -> Value:
    """Show a data centre."""
    return _one(call, await _load(call, data_center_documents), "data centre")


async def list_clusters_of(call: Call) -> Value:
    """List the clusters of a data centre."""
    center = _one(call, await _load(call, data_center_documents), "data centre")
    clusters = await _load_clusters(call)
    return [one for one in clusters if _center_id(one) == center["id"]][: call.number("max")]


def cluster_documents(connection: Connection) -> list[Document]:
    """Describe all clusters."""
    centers = {row.id: _center_reference(row) for row in place_rows.list_datacenters(connection)}
    return [
        {
            "id": row.id,
            "href": f"{API_PATH}/clusters/{row.id}",
            "name": row.name,
            "description": row.description,
            "virt_service": True,
            "gluster_service": False,
            "cpu": {"architecture": "x86_64", "type": ""},
            "version": LEVEL,
            "data_center": centers[row.datacenter_id],
        }
        for row in place_rows.list_clusters(connection)
    ]


def data_center_documents(connection: Connection) -> list[Document]:
    """Describe all data centres."""
    return [
        {
            **_center_reference(row),
            "description": row.description,
            "local": False,
            "status": _status(connection),
            "version": LEVEL,
        }
        for row in place_rows.list_datacenters(connection)
    ]


def _center_reference(row: DatacenterRow) -> Document:
    return {"id": row.id, "href": f"{API_PATH}/datacenters/{row.id}", "name": row.name}


def cluster_reference(cluster: Document) -> Document:
    """Keep of a cluster what tells which it is."""
    return _only(cluster, "id", "href", "name", "data_center")


def _only(document: Document, *names: str) -> Document:
    return {name: document[name] for name in names}


def _status(connection: Connection) -> str:
    """Tell how the one data centre stands: it is up where a node is."""
    if node_rows.count_nodes(connection, NodeState.UP):
        return "up"
    joined = set(NodeState) - {NodeState.PENDING, NodeState.REJECTED}
    known = any(node_rows.count_nodes(connection, state) for state in sorted(joined))
    return "not_operational" if known else "uninitialized"


def _found(call: Call, shape: Shape, documents: list[Document]) -> list[Document]:
    sensitive = call.flag("case_sensitive", default=True)
    search = parse_search(call.text("search"), shape.search, case_sensitive=sensitive)
    return search.select(documents, call.number("max"))


def _one(call: Call, documents: list[Document], what: str) -> Document:
    for document in documents:
        if document["id"] == call.path["id"]:
            return document
    raise VirtnodeError(Code.NOT_FOUND, f"there is no {what} {call.path['id'][:60]}", "list them first")


def _center_id(cluster: Document) -> Value:
    center = cluster["data_center"]
    return center["id"] if isinstance(center, dict) else ""


async def _load_clusters(call: Call) -> list[Document]:
    """Describe all clusters, and whether their hosts are being updated."""
    clusters = await _load(call, cluster_documents)
    rolls = call.services.rolls

    def add_rolls() -> list[Document]:
        return [{**one, **roll_summary(rolls.latest(str(one["id"])))} for one in clusters]

    return await anyio.to_thread.run_sync(add_rolls)


async def _load(call: Call, describe: Callable[[Connection], list[Document]]) -> list[Document]:
    def load() -> list[Document]:
        with call.services.store.read() as connection:
            return describe(connection)

    return await anyio.to_thread.run_sync(load)
