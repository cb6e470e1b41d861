"""Updates of hosts, and of the hosts of a cluster one after the other."""

import anyio.to_thread

from engine.events import Actor
from engine.node import Node
from engine.rest.endpoint import API_PATH, Call
from engine.rest.shapes import Document, Value
from engine.rolls import Roll, RollWish
from engine.store import place_rows
from engine.updates import Updatable, UpdateWish
from nodelib.bus_update import PackageChange
from nodelib.errors import Code, VirtnodeError

ROLL_ACTIONS = ("start", "finish", "update_progress")


async def check_host(call: Call) -> Value:
    """Look whether there is an update for a host; the log says so."""

    def check() -> Node:
        node = call.services.nodes.get(call.path["id"])
        return call.services.updates.check(node.id, call.actor).node

    return _complete("hosts", (await anyio.to_thread.run_sync(check)).id, "upgradecheck")


async def upgrade_host(call: Call) -> Value:
    """Begin the update of a host; it goes on when this is answered."""
    minutes = call.body.get("timeout")
    if isinstance(minutes, int) and not 0 < minutes <= 10_000:
        raise VirtnodeError(Code.INVALID, f"action.timeout: {minutes} is no number of minutes", "try 30")
    wish = UpdateWish(
        str(call.body.get("image", "")),
        bool(call.body.get("stop_guests", False)),
        minutes * 60.0 if isinstance(minutes, int) else None,
    )

    def begin() -> Node:
        node = call.services.nodes.get(call.path["id"])
        return call.services.updates.begin(node.id, wish, call.actor)

    return _complete("hosts", (await anyio.to_thread.run_sync(begin)).id, "upgrade")


async def get_updates(call: Call) -> Value:
    """Show what a host runs, what it could run, and which packages would change."""

    def look() -> Updatable:
        node = call.services.nodes.get(call.path["id"])
        return call.services.updates.look(node.id, call.text("image"))

    found = await anyio.to_thread.run_sync(look)
    packages = await call.services.updates.compare_packages(found, call.services.link)
    return _updates_document(found, packages)


async def upgrade_cluster(call: Call) -> Value:
    """Begin to update the hosts of a cluster one after the other, or stop that after the one at hand."""
    action = call.body.get("upgrade_action")
    correlation = str(call.body.get("correlation_id", "")) or call.actor.correlation
    actor = Actor(call.actor.name, correlation)
    wish = RollWish(str(call.body.get("image", "")), bool(call.body.get("stop_guests", False)))

    def act() -> str:
        cluster = _find_cluster(call)
        if action is None:
            raise VirtnodeError(
                Code.INVALID, "action.upgrade_action: missing", f"known are {', '.join(ROLL_ACTIONS)}"
            )
        if action == "start":
            call.services.rolls.start(cluster, wish, actor)
        elif action == "finish":
            call.services.rolls.stop(cluster, actor)
        return cluster

    return _complete("clusters", await anyio.to_thread.run_sync(act), "upgrade")


async def get_roll(call: Call) -> Value:
    """Show how the latest update of a cluster's hosts stands."""

    def load() -> Document:
        cluster = _find_cluster(call)
        return _roll_document(cluster, call.services.rolls.latest(cluster))

    return await anyio.to_thread.run_sync(load)


def roll_summary(roll: Roll | None) -> Document:
    """Say of a cluster, in oVirt's words, whether its hosts are being updated."""
    if roll is None or roll.row.finished is not None:
        return {"upgrade_in_progress": False, "upgrade_percent_complete": 0}
    return {
        "upgrade_in_progress": True,
        "upgrade_percent_complete": roll.percent,
        "upgrade_correlation_id": roll.row.correlation,
    }


def _updates_document(found: Updatable, packages: tuple[PackageChange, ...]) -> Document:
    node, image, update = found.node, found.image, found.update
    host = f"{API_PATH}/hosts/{node.id}"
    document: dict[str, Value] = {
        "id": node.id,
        "href": f"{host}/updates",
        "installed_version": node.facts.product,
        "installed_build": node.facts.build_id,
        "update_available": image is not None,
        "packages": [{"name": one.name, "before": one.before, "after": one.after} for one in packages],
        "host": {"id": node.id, "href": host},
    }
    if image is not None:
        document |= {
            "available_version": image.version,
            "available_build": image.build_id,
            "available_digest": image.digest,
            "system": image.system,
            "size": image.size_bytes,
        }
    if update is not None:
        document["last"] = {
            "phase": update.phase,
            "version": update.version,
            "build": update.build_id,
            "reason": node.reason if update.standing else update.reason,
            "action": node.action if update.standing else update.action,
            "started": update.started,
            "since": update.since,
            "deadline": update.deadline,
            "correlation_id": update.correlation,
        }
    return document


def _roll_document(cluster: str, roll: Roll | None) -> Document:
    href = f"{API_PATH}/clusters/{cluster}"
    document: dict[str, Value] = {
        "id": cluster,
        "href": f"{href}/roll",
        "state": "none",
        "cluster": {"id": cluster, "href": href},
    }
    if roll is None:
        return document
    hosts: list[Value] = [
        {
            "id": turn.node_id,
            "href": f"{API_PATH}/hosts/{turn.node_id}",
            "name": turn.name,
            "state": turn.state,
            "reason": turn.reason,
        }
        for turn in roll.nodes
    ]
    row = roll.row
    document |= {
        "state": row.state,
        "reason": row.reason,
        "version": row.version,
        "build": row.build_id,
        "percent": roll.percent,
        "started": row.started,
        "correlation_id": row.correlation,
        "hosts": hosts,
    }
    if row.finished is not None:
        document["finished"] = row.finished
    return document


def _find_cluster(call: Call) -> str:
    with call.services.store.read() as connection:
        known = {cluster.id for cluster in place_rows.list_clusters(connection)}
    if call.path["id"] not in known:
        raise VirtnodeError(Code.NOT_FOUND, f"there is no cluster {call.path['id'][:60]}", "list them first")
    return call.path["id"]


def _complete(collection: str, identifier: str, action: str) -> Document:
    href = f"{API_PATH}/{collection}/{identifier}/{action}"
    return {"id": identifier, "href": href, "status": "complete"}
