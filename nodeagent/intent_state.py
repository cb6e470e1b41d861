"""The state: what a person or the engine decided and confirmed, as `node.toml` on the state partition."""

from collections.abc import Mapping

import tomli_w

from nodeagent.intent import VERSION
from nodeagent.intent_sources import GOOD_STATE, STATE, is_state_broken
from nodeagent.tree_files import TreeFiles, text_file

BROKEN_STATE = f"{STATE}.bad"
HEADER = "# Written by virtnode-agent: what a person or the engine decided. Use virtnodectl to change it.\n"


def write_state(tree: TreeFiles, document: Mapping[str, object]) -> None:
    """Replace the state and its good copy; a state that somebody broke by hand is kept beside them."""
    state = text_file(f"{HEADER}{write_toml(document)}", 0o600)
    if is_state_broken(tree.root):
        tree.put(BROKEN_STATE, tree.state(STATE))
    tree.put(STATE, state)
    tree.put(GOOD_STATE, state)


def write_toml(document: Mapping[str, object]) -> str:
    """Write tables as TOML, with the version first."""
    return tomli_w.dumps({"version": VERSION, **document})
