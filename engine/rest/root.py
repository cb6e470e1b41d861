"""Where everything begins: what this is, what there is, who is asking; and what is no resource."""

import json
from collections import Counter

import anyio.to_thread

from engine.accounts import Account
from engine.rest.endpoint import API_PATH, Call, Plain
from engine.rest.metrics import MEDIA_TYPE, Metric, Sample
from engine.rest.shapes import Value
from engine.rest.users import user_reference
from nodelib.errors import Code, VirtnodeError
from nodelib.link import NodeState

API_VERSION: Value = {"major": 4, "minor": 5, "build": 0, "revision": 0, "full_version": "4.5.0"}
"""Clients choose what they ask by oVirt's version; this is the one whose documentation was followed."""
MOST_IMAGES = 50
CA_FORMATS = ("X509-PEM-CA", "X509-PEM")


async def get_api(call: Call) -> Value:
    """Show what the engine is."""
    nodes = await anyio.to_thread.run_sync(call.services.nodes.list)
    accounts = await anyio.to_thread.run_sync(call.services.accounts.list)
    active = [node for node in nodes if node.state is NodeState.UP]
    guests = sum(node.heartbeat.guests for node in nodes if node.heartbeat)
    user = user_reference(_asker(call))
    return {
        "href": API_PATH,
        "product_info": {
            "name": "virtnode Engine",
            "vendor": "virtnode",
            "instance_id": call.services.engine_id,
            "version": API_VERSION,
            "virtnode_version": call.services.version,
        },
        "summary": {
            "hosts": {"active": len(active), "total": len(nodes)},
            "users": {"active": len(accounts), "total": len(accounts)},
            "vms": {"active": guests, "total": guests},
        },
        "time": call.services.clock(),
        "authenticated_user": user,
        "effective_user": user,
    }


async def get_metrics(call: Call) -> Plain:
    """Write figures for Prometheus."""
    nodes = await anyio.to_thread.run_sync(call.services.nodes.list)
    counts = dict.fromkeys(NodeState, 0)
    for node in nodes:
        counts[node.state] += 1
    samples = tuple(Sample(count, {"state": state.value}) for state, count in counts.items())
    metric = Metric("virtnode_nodes", "gauge", "Nodes by state.", samples)
    images = Counter((node.facts.product, node.facts.build_id) for node in nodes)
    by_image = tuple(
        Sample(count, {"image": product, "build": build})
        for (product, build), count in images.most_common(MOST_IMAGES)
    )
    about = "Nodes by the image that they run, the most frequent ones."
    running = Metric("virtnode_nodes_by_image", "gauge", about, by_image)
    return Plain(call.services.metrics.render([metric, running]), MEDIA_TYPE)


async def get_pki_resource(call: Call) -> Plain:
    """Hand out the CA's certificates. Whoever fetches them this way compares them with the engine's pin."""
    return Plain(call.services.authority().encode(), "application/x-x509-ca-cert")


def json_answer(value: object, status: int = 200) -> Plain:
    """Answer with JSON that is no resource, and that nobody should keep."""
    headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
    return Plain(json.dumps(value).encode(), "application/json", status, headers)


def _asker(call: Call) -> Account:
    if call.account is None:
        raise VirtnodeError(Code.DENIED, "nobody is asking")
    return call.account
