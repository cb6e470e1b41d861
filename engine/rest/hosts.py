"""Hosts: find them, let them in, put them aside, forget them."""

import functools
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec

import anyio.to_thread

from engine.images import choose_image
from engine.node import Node
from engine.rest.endpoint import API_PATH, Call
from engine.rest.host_documents import HostView, host_document, virtnode_document
from engine.rest.host_parts import nic_documents, statistic_documents, storage_documents
from engine.rest.places import cluster_documents
from engine.rest.resources import HOST
from engine.rest.search import find_value, parse_search
from engine.rest.shapes import Document, Value
from engine.store.image_rows import ImageRow
from nodelib.approval import read_approval_code
from nodelib.errors import Code, VirtnodeError

Asked = ParamSpec("Asked")

PARTS: dict[str, Callable[[HostView], list[Document]]] = {
    "nics": nic_documents,
    "statistics": statistic_documents,
    "storages": storage_documents,
}
"""What `follow` puts into a host, by the name of its field."""
_KNOWN_FOLLOWS = {**{name: name for name in PARTS}, "storage": "storages", "cluster": "cluster"}


async def list_hosts(call: Call) -> Value:
    """List the hosts that a search finds."""
    wanted = _read_follow(call.text("follow"))
    search = parse_search(
        call.text("search"), HOST.search, case_sensitive=call.flag("case_sensitive", default=True)
    )

    def load() -> list[Document]:
        clusters, most = _load_clusters(call), call.number("max")
        nodes = call.services.nodes.list(search.enough(most))
        images = _load_images(call)
        views = {node.id: _make_view(node, clusters, images) for node in nodes}
        documents = [host_document(view, all_content=call.flag("all_content")) for view in views.values()]
        found = search.select(documents, most)
        return [_follow(document, views[str(document["id"])], wanted) for document in found]

    # A thousand hosts take a fifth of a second, in which the loop has heartbeats to answer.
    return await anyio.to_thread.run_sync(load)


async def get_host(call: Call) -> Value:
    """Show a host."""
    wanted = _read_follow(call.text("follow"))
    view = await _load_view(call)
    return _follow(host_document(view, all_content=call.flag("all_content")), view, wanted)


async def get_virtnode(call: Call) -> Value:
    """Show what oVirt has no word for."""
    return virtnode_document(await _load_view(call))


async def list_nics(call: Call) -> Value:
    """List a host's interfaces."""
    return await _list_part(call, "nics")


async def list_statistics(call: Call) -> Value:
    """List the figures that a host sent last."""
    return await _list_part(call, "statistics")


async def list_storage(call: Call) -> Value:
    """List a host's disks."""
    return await _list_part(call, "storages")


async def get_nic(call: Call) -> Value:
    """Show one interface."""
    return await _get_part(call, "nics")


async def get_statistic(call: Call) -> Value:
    """Show one figure."""
    return await _get_part(call, "statistics")


async def get_storage(call: Call) -> Value:
    """Show one disk."""
    return await _get_part(call, "storages")


async def approve_host(call: Call) -> Value:
    """Let a pending node in. With `approval_code` in the action, only if it is this node's."""
    view = await _load_view(call)
    code = call.body.get("approval_code")
    if code is not None and not hmac.compare_digest(
        read_approval_code(str(code)).encode(), view.node.code.encode()
    ):
        raise VirtnodeError(
            Code.CONFLICT,
            f"the approval code of {view.node.name} is another",
            "compare it with what the node's console shows; if they differ, do not approve",
        )
    _check_cluster(call, view)
    replace = bool(call.body.get("replace", False))
    await _in_thread(call.services.nodes.approve, view.node.id, call.actor, replace=replace)
    return _complete(view, "approve")


async def reject_host(call: Call) -> Value:
    """Turn a pending node away."""
    view = await _load_view(call)
    await _in_thread(call.services.nodes.reject, view.node.id, call.actor, _reason(call))
    return _complete(view, "reject")


async def activate_host(call: Call) -> Value:
    """End a host's maintenance."""
    view = await _load_view(call)
    await _in_thread(call.services.nodes.activate, view.node.id, call.actor)
    return _complete(view, "activate")


async def deactivate_host(call: Call) -> Value:
    """Put a host into maintenance."""
    view = await _load_view(call)
    await _in_thread(call.services.nodes.deactivate, view.node.id, call.actor, _reason(call))
    return _complete(view, "deactivate")


async def fence_host(call: Call) -> Value:
    """Reboot a host that is connected."""
    view = await _load_view(call)
    if "fence_type" not in call.body:
        raise VirtnodeError(
            Code.INVALID, "action.fence_type: missing", "a host can be told to restart, and nothing else"
        )
    await call.services.link.reboot(view.node.id, call.actor)
    return _complete(view, "fence")


async def remove_host(call: Call) -> Value:
    """Forget a host."""
    view = await _load_view(call)
    await _in_thread(call.services.nodes.remove, view.node.id, call.actor)
    return {"status": "complete"}


def find_named(items: Sequence[Document], identifier: str, what: str) -> Document:
    """Find an item by its identifier. Raises VirtnodeError (not-found)."""
    for item in items:
        if item["id"] == identifier:
            return item
    raise VirtnodeError(Code.NOT_FOUND, f"there is no {what} {identifier[:60]}", "list them to see which are")


async def _in_thread(
    decide: Callable[Asked, object], *arguments: Asked.args, **options: Asked.kwargs
) -> None:
    """Have a decision made where waiting for the database holds nobody up."""
    await anyio.to_thread.run_sync(functools.partial(decide, *arguments, **options))


async def _load_view(call: Call) -> HostView:
    def load() -> HostView:
        node = call.services.nodes.get(call.path["id"])
        return _make_view(node, _load_clusters(call), _load_images(call))

    return await anyio.to_thread.run_sync(load)


def _make_view(node: Node, clusters: Mapping[str, Document], images: Sequence[ImageRow]) -> HostView:
    return HostView(node, clusters[node.cluster_id], choose_image(images, node) is not None)


def _load_images(call: Call) -> list[ImageRow]:
    return [image.row for image in call.services.images.list()]


def _load_clusters(call: Call) -> dict[str, Document]:
    with call.services.store.read() as connection:
        return {str(one["id"]): one for one in cluster_documents(connection)}


def _read_follow(text: str) -> frozenset[str]:
    names = {name.strip().split(".")[0] for name in text.split(",") if name.strip()}
    if unknown := names - set(_KNOWN_FOLLOWS):
        raise VirtnodeError(
            Code.INVALID,
            f"cannot follow {', '.join(sorted(unknown))[:100]}",
            f"known are {', '.join(sorted(_KNOWN_FOLLOWS))}",
        )
    return frozenset(_KNOWN_FOLLOWS[name] for name in names)


def _follow(document: Document, view: HostView, names: frozenset[str]) -> Document:
    followed: dict[str, Value] = {name: PARTS[name](view) for name in sorted(names & set(PARTS))}
    return {**document, **followed, **({"cluster": view.cluster} if "cluster" in names else {})}


async def _list_part(call: Call, name: str) -> Value:
    return PARTS[name](await _load_view(call))[: call.number("max")]


async def _get_part(call: Call, name: str) -> Value:
    return find_named(PARTS[name](await _load_view(call)), call.path["part"], "part of this host")


def _check_cluster(call: Call, view: HostView) -> None:
    """Accept the cluster that the node is in anyway: there is one."""
    asked = call.body.get("cluster")
    for name in ("id", "name"):
        wanted = find_value(asked, (name,)) if isinstance(asked, dict) else None
        if wanted is not None and wanted != view.cluster[name]:
            raise VirtnodeError(
                Code.NOT_FOUND, f"there is no cluster {str(wanted)[:60]}", f"see {API_PATH}/clusters"
            )


def _reason(call: Call) -> str:
    return str(call.body.get("reason", ""))


def _complete(view: HostView, action: str) -> Document:
    return {"id": view.node.id, "href": f"{view.href}/{action}", "status": "complete"}
