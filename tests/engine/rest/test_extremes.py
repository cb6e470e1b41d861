"""What nodes say that cannot be: the API shows it all the same, in both media types."""

import json

import pytest

from engine.rest.represent import JSON, XML
from engine.store import event_rows
from engine.store.event_rows import EventRow
from engine.wire import read_from_node
from nodelib.codec import parse_json
from nodelib.errors import VirtnodeError
from nodelib.link import EventsRequest, Heartbeat
from tests.engine.numbers import EXTREMES, example, number_paths, with_number
from tests.engine.rest.engines import TestEngine

FOLLOW = "/hosts?follow=nics,statistics,storage,cluster&all_content=true"


@pytest.mark.parametrize("extreme", EXTREMES)
def test_numbers_out_of_bounds_are_shown(engine: TestEngine, extreme: float) -> None:
    """A heartbeat, facts, ladder and events full of them break no document."""
    nodes = [engine.join_up(name) for name in ("rack-1", "rack-2")]
    for kind in (Heartbeat, EventsRequest):
        document = example(kind)
        for path in number_paths(document):
            changed = with_number(document, path, extreme)
            try:
                read_from_node(kind, parse_json(json.dumps(changed)))
            except VirtnodeError:
                continue
            document = changed
        read: object = read_from_node(kind, parse_json(json.dumps(document)))
        for node in nodes:
            if isinstance(read, Heartbeat):
                engine.services.nodes.heartbeat(node, read)
            elif isinstance(read, EventsRequest):
                engine.services.nodes.report_events(node, read)
    asked = ["", "/events", FOLLOW]
    asked += [f"/hosts/{nodes[0]}{part}" for part in ("", "/virtnode", "/nics", "/statistics", "/storage")]
    for address in asked:
        for media in (XML, JSON):
            answer = engine.ask(address, accept=media)
            assert answer.status == 200, (address, media, answer.text)


def test_an_event_that_was_stored_with_an_impossible_time_is_shown(engine: TestEngine) -> None:
    """One row does not hide the others."""
    with engine.services.store.write() as connection:
        for time in (-1e300, 1e300):
            row = EventRow(time, "info", "odd", "an odd event", "node:1/root", "", identifier=str(time))
            event_rows.insert_event(connection, row)
    for media in (XML, JSON):
        answer = engine.ask("/events", accept=media)
        assert answer.status == 200
        assert answer.text.count("an odd event") == 2
