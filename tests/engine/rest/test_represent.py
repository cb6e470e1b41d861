"""Resources as data: what is written in XML and JSON, and what is read of both."""

import json

import pytest
from defusedxml import ElementTree
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.rest.bodies import read_json, read_xml
from engine.rest.represent import JSON, XML, represent
from engine.rest.resources import RESOURCES
from engine.rest.shapes import (
    Document,
    Field,
    Many,
    Scalar,
    Shape,
    boolean,
    choice,
    decimal,
    integer,
    moment,
    part,
    reference,
    text,
)
from nodelib.errors import InvalidInput, VirtnodeError

WHEEL = Shape("wheel", (integer("size"),))
CAR = Shape(
    "car",
    (
        text("name"),
        integer("seats"),
        decimal("speed"),
        boolean("red"),
        moment("made"),
        choice("fuel", ("wind", "sun")),
        part("engine", integer("power")),
        reference("owner", text("name")),
        Field("wheels", Many(WHEEL, "wheel"), link="wheels"),
        Field("words", Many(Scalar.TEXT, "word")),
    ),
    identified=True,
    links=(("history", "history"),),
    actions=("start",),
)
CARS = Many(CAR, "car", "cars")
FULL: Document = {
    "id": "7",
    "href": "/cars/7",
    "name": "<A & B>",
    "seats": 4,
    "speed": 2.5,
    "red": True,
    "made": 1_700_000_000.25,
    "fuel": "wind",
    "engine": {"power": 9},
    "owner": {"id": "1", "href": "/people/1", "name": "Ann"},
    "wheels": [{"size": 1}, {"size": 2}],
    "words": ["go"],
}
FULL_XML = """<?xml version='1.0' encoding='utf-8'?>
<car href="/cars/7" id="7">
    <actions>
        <link href="/cars/7/start" rel="start"></link>
    </actions>
    <name>&lt;A &amp; B&gt;</name>
    <seats>4</seats>
    <speed>2.5</speed>
    <red>true</red>
    <made>2023-11-14T22:13:20.250+00:00</made>
    <fuel>wind</fuel>
    <engine>
        <power>9</power>
    </engine>
    <owner href="/people/1" id="1">
        <name>Ann</name>
    </owner>
    <wheels>
        <wheel>
            <size>1</size>
        </wheel>
        <wheel>
            <size>2</size>
        </wheel>
    </wheels>
    <words>
        <word>go</word>
    </words>
    <link href="/cars/7/history" rel="history"></link>
</car>
"""


def test_a_document_in_xml() -> None:
    """Identity is attributes, what is nested is nested, and nothing escapes."""
    assert represent(CAR, FULL, XML).decode() == FULL_XML


def test_a_document_in_json() -> None:
    """Numbers and truth are text, times are milliseconds, lists are named by their items."""
    assert json.loads(represent(CAR, FULL, JSON)) == {
        "actions": {"link": [{"href": "/cars/7/start", "rel": "start"}]},
        "engine": {"power": "9"},
        "fuel": "wind",
        "href": "/cars/7",
        "id": "7",
        "link": [{"href": "/cars/7/history", "rel": "history"}],
        "made": 1_700_000_000_250,
        "name": "<A & B>",
        "owner": {"href": "/people/1", "id": "1", "name": "Ann"},
        "red": "true",
        "seats": "4",
        "speed": "2.5",
        "wheels": {"wheel": [{"size": "1"}, {"size": "2"}]},
        "words": {"word": ["go"]},
    }


def test_what_is_absent_is_not_written() -> None:
    """A field without a value is no empty element, and a list that nobody followed is a link."""
    car: Document = {"id": "7", "href": "/cars/7"}
    assert json.loads(represent(CAR, car, JSON))["link"] == [
        {"href": "/cars/7/history", "rel": "history"},
        {"href": "/cars/7/wheels", "rel": "wheels"},
    ]
    assert [one.tag for one in ElementTree.fromstring(represent(CAR, car, XML))] == [
        "actions",
        "link",
        "link",
    ]


def test_a_list_is_a_document_too() -> None:
    """A collection has its own name in XML, and that of its items in JSON; empty it is empty."""
    root = ElementTree.fromstring(represent(CARS, [FULL, FULL], XML))
    assert (root.tag, [one.tag for one in root]) == ("cars", ["car", "car"])
    assert len(json.loads(represent(CARS, [FULL, FULL], JSON))["car"]) == 2
    assert json.loads(represent(CARS, [], JSON)) == {}
    assert len(ElementTree.fromstring(represent(CARS, [], XML))) == 0


@pytest.mark.parametrize("media_type", [XML, JSON])
def test_a_document_must_fit_its_description(media_type: str) -> None:
    """A field that nobody described, or a list where there should be none, is a mistake of ours."""
    wrongs: tuple[Document, ...] = ({"colour": "red"}, {"engine": []}, {"words": "go"}, {"wheels": {}})
    for wrong in wrongs:
        with pytest.raises(TypeError):
            represent(CAR, wrong, media_type)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.text(st.characters(), max_size=20))
def test_any_text_can_be_written(name: str) -> None:
    """Whatever a node calls itself, documents can be read again."""
    shown = ElementTree.fromstring(represent(CAR, {"id": name, "name": name}, XML))
    assert shown.get("id") is not None
    assert isinstance(json.loads(represent(CAR, {"name": name}, JSON))["name"], str)


def test_what_was_written_can_be_read() -> None:
    """Both media types carry the same."""
    read = dict(
        read_xml(
            CAR, represent(CAR, {**FULL, "made": 1.0}, XML).replace(b"1970-01-01T00:00:01.000+00:00", b"1")
        )
    )
    assert read == {**FULL, "made": 1.0}
    assert read_json(
        CAR, json.dumps({**FULL, "wheels": {"wheel": [{"size": "1"}, {"size": 2}]}}).encode()
    ) == {**FULL}


def test_what_is_unknown_in_a_body_is_left_out() -> None:
    """Clients send fields that this engine has nothing to do with."""
    assert read_xml(CAR, b"<car><colour>red</colour><name>x</name></car>") == {"name": "x"}
    assert read_json(CAR, b'{"colour": {"deep": []}, "name": "x", "seats": null}') == {"name": "x"}


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        (b"<car><seats>many</seats><red>maybe</red></car>", ["car.seats", "car.red"]),
        (b"<car><seats>1.5</seats></car>", ["car.seats"]),
        (b"<car><seats>" + b"9" * 30 + b"</seats></car>", ["car.seats"]),
        (b"<car><speed>nan</speed></car>", ["car.speed"]),
        (b"<car><fuel>coal</fuel></car>", ["car.fuel"]),
        (b"<car><engine><power>x</power></engine></car>", ["car.engine.power"]),
    ],
)
def test_bad_values_in_xml_are_all_told(body: bytes, problems: list[str]) -> None:
    """One line for each problem, with the path to it."""
    with pytest.raises(InvalidInput) as caught:
        read_xml(CAR, body)
    assert [line.split(":")[0] for line in caught.value.problems] == problems


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        (b'{"seats": "many", "red": 7}', ["car.seats", "car.red"]),
        (b'{"speed": "1e999"}', ["car.speed"]),
        (b'{"name": 5, "words": 5}', ["car.name", "car.words"]),
        (b'{"engine": "x", "owner": []}', ["car.engine", "car.owner"]),
        (b'{"fuel": true}', ["car.fuel"]),
    ],
)
def test_bad_values_in_json_are_all_told(body: bytes, problems: list[str]) -> None:
    """One line for each problem, with the path to it."""
    with pytest.raises(InvalidInput) as caught:
        read_json(CAR, body)
    assert [line.split(":")[0] for line in caught.value.problems] == problems


BILLION_LAUGHS = (
    b'<!DOCTYPE car [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><car><name>&c;</name></car>'
)


@pytest.mark.parametrize(
    "body",
    [
        BILLION_LAUGHS,
        b'<!DOCTYPE car [<!ENTITY f SYSTEM "file:///etc/passwd">]><car><name>&f;</name></car>',
        b'<!DOCTYPE car SYSTEM "http://192.0.2.1/car.dtd"><car/>',
        b"",
        b"<car>",
        b"\x00",
        b'<?xml version="1.0" encoding="nonsense"?><car/>',
        b"<car/><car/>",
    ],
)
def test_xml_that_harms_is_refused(body: bytes) -> None:
    """No document type, no entity, no other file, and nothing that is broken."""
    with pytest.raises(VirtnodeError, match="no XML that can be taken"):
        read_xml(CAR, body)


def test_deep_bodies_do_no_harm() -> None:
    """However deep a body is, it is read or refused."""
    deep = b"<car>" + b"<a>" * 20_000 + b"</a>" * 20_000 + b"</car>"
    assert read_xml(CAR, deep) == {}
    with pytest.raises(VirtnodeError):
        read_json(CAR, b'{"a":' * 100_000 + b"1" + b"}" * 100_000)


def test_every_resource_has_a_name_of_its_own() -> None:
    """Two resources of one name would be one in the OpenAPI document."""
    assert len({shape.tag for shape in RESOURCES}) == len(RESOURCES)
    for shape in RESOURCES:
        names = [one.name for one in shape.fields]
        assert len(set(names)) == len(names), shape.tag
