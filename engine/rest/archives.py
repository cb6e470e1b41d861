"""The support archives that a host sent."""

import functools

import anyio.to_thread

from engine.archives import Archive
from engine.rest.endpoint import API_PATH, Call, Plain
from engine.rest.shapes import Document, Value

GZIP = "application/gzip"


async def list_archives(call: Call) -> Value:
    """List a host's support archives, the latest first."""

    def load() -> list[Document]:
        node = call.services.nodes.get(call.path["id"]).id
        return [archive_document(one) for one in call.services.archives.list(node)[: call.number("max")]]

    return await anyio.to_thread.run_sync(load)


async def get_archive(call: Call) -> Value:
    """Show one support archive."""

    def load() -> Document:
        node = call.services.nodes.get(call.path["id"]).id
        return archive_document(call.services.archives.get(call.path["part"], node))

    return await anyio.to_thread.run_sync(load)


async def get_archive_content(call: Call) -> Plain:
    """Hand out a support archive."""

    def load() -> bytes:
        node = call.services.nodes.get(call.path["id"]).id
        return call.services.archives.read(call.path["part"], call.actor, node)

    content = await anyio.to_thread.run_sync(load)
    name = f"virtnode-support-{call.path['part']}.tar.gz"
    return Plain(content, GZIP, headers={"Content-Disposition": f'attachment; filename="{name}"'})


async def remove_archive(call: Call) -> Value:
    """Remove a support archive."""
    node = (await anyio.to_thread.run_sync(call.services.nodes.get, call.path["id"])).id
    remove = functools.partial(call.services.archives.remove, call.path["part"], call.actor, node)
    await anyio.to_thread.run_sync(remove)
    return {"status": "complete"}


def archive_document(archive: Archive) -> Document:
    """Describe an archive."""
    host = f"{API_PATH}/hosts/{archive.node}"
    return {
        "id": archive.id,
        "href": f"{host}/archives/{archive.id}",
        "size": archive.size_bytes,
        "time": archive.time,
        "host": {"id": archive.node, "href": host},
    }
