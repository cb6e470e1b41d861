"""Stored nodes: how one is found, and what must hold before something is done with it."""

from engine.node_state import APPROVED_STATES
from engine.printable import printable
from engine.store import node_rows, update_rows
from engine.store.database import Connection
from engine.store.node_rows import NodeRow
from engine.update_state import is_under_way
from nodelib.approval import read_approval_code
from nodelib.errors import Code, VirtnodeError
from nodelib.link import NodeState


def need_stored(connection: Connection, node: str) -> NodeRow:
    """Find a node by its identifier. Raises VirtnodeError (not-found)."""
    row = node_rows.find_node(connection, printable(node, 100))
    if row is None:
        raise VirtnodeError(
            Code.NOT_FOUND, f"there is no node {printable(node, 60)}", "virtnode-engine nodes list shows them"
        )
    return row


def find_stored(connection: Connection, words: str) -> NodeRow:
    """Find a node as a person typed it: identifier, approval code or name. Raises (not-found or conflict)."""
    row = node_rows.find_node(connection, printable(words, 100))
    if row is not None:
        return row
    by_code = node_rows.find_nodes_by_code(connection, read_approval_code(printable(words, 100)))
    if len(by_code) > 1:
        raise VirtnodeError(
            Code.CONFLICT, "more than one node shows this code, so somebody lies", "compare fingerprints"
        )
    if by_code:
        return by_code[0]
    return node_rows.find_node_by_name(connection, printable(words, 100)) or need_stored(connection, words)


def need_approved(connection: Connection, node: str) -> NodeRow:
    """Find a node that was let in, by its identifier. Raises VirtnodeError (not-found or conflict)."""
    row = need_stored(connection, node)
    check_approved(row)
    return row


def check_approved(row: NodeRow) -> None:
    """See that a node was let in. Raises VirtnodeError (conflict)."""
    if row.state not in APPROVED_STATES:
        raise VirtnodeError(Code.CONFLICT, f"{row.name} is {row.state}", "approve it first")


def check_no_update(connection: Connection, row: NodeRow) -> None:
    """See that a node is not being updated. Raises VirtnodeError (conflict)."""
    update = update_rows.find_update(connection, row.id)
    if update is not None and is_under_way(update):
        raise VirtnodeError(
            Code.CONFLICT,
            f"{row.name} is being updated to {update.version}",
            f"wait; virtnode-engine nodes updates {row.name} tells how it goes",
        )


def not_pending(row: NodeRow) -> VirtnodeError:
    """Say that there is nothing to decide of a node."""
    hint = (
        "remove it to let it ask again" if row.state == NodeState.REJECTED else "there is nothing to decide"
    )
    return VirtnodeError(Code.CONFLICT, f"{row.name} does not wait for approval: it is {row.state}", hint)
