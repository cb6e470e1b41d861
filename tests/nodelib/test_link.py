"""The declaration of the link."""

import typing

from nodelib import link, link_update
from nodelib.codec import decode, encode
from nodelib.ladder import Step
from nodelib.link import Heartbeat, register_proof

ENGINE_CALLS = (*link.ENGINE_CALLS, *link_update.ENGINE_CALLS)
NODE_CALLS = (*link.NODE_CALLS, *link_update.NODE_CALLS)


def test_each_verb_has_one_name_and_can_travel() -> None:
    """No two verbs share a name, and every type of every field is one the codec knows."""
    names = [verb.name for verb in (*ENGINE_CALLS, *NODE_CALLS)]
    assert len(names) == len(set(names))
    for verb in (*ENGINE_CALLS, *NODE_CALLS):
        assert typing.get_type_hints(verb.request) is not None
        assert verb.request.__doc__
        assert verb.reply.__doc__


def test_a_heartbeat_travels() -> None:
    """Nested types and absent facts survive."""
    beat = Heartbeat(1.0, 2.0, 0.5, 4096, problems=("failed unit: a.service",))
    assert decode(Heartbeat, encode(beat)) == beat


def test_a_proof_is_of_one_connection() -> None:
    """What was signed for one nonce says nothing about another."""
    assert register_proof("a") != register_proof("b")
    assert len(Step) == 11
