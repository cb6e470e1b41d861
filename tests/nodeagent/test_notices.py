"""What somebody should look after: each with a hint, and no word that changes from look to look."""

import dataclasses

import pytest

from nodeagent.health import Health
from nodeagent.notices import DAY, Outlook, collect_notices
from nodeagent.state_disk import State
from nodeagent.status import engine_url
from nodelib.bus_system import StorageMeter

NOW = 1_790_000_000.0
WELL = Outlook(
    now=NOW, health=Health(True, ()), state=State("disk"), certificate_until=NOW + 80 * DAY, skew=3.0
)
WRONG = {
    "the unit x.service failed": {"health": Health(True, ("x",), failed_units=("x.service",))},
    "KVM is missing": {"health": Health(False, ("x",), kvm_missing=True)},
    "libvirt does not answer": {"health": Health(False, ("x",), libvirt_silent=True)},
    "no disk today": {"state": State("memory", "no disk today")},
    "the certificate of this node ended on": {"certificate_until": NOW - 1},
    "the certificate of this node ends on": {"certificate_until": NOW + 13 * DAY},
    "the clock is more than a minute behind": {"skew": 61.0},
    "the clock is more than a minute ahead of": {"skew": -3600.0},
    "the state disk is more than 90% full": {"storage": (StorageMeter("state", 91, 100),)},
    "the memory for changes is more than 90% full": {"storage": (StorageMeter("memory", 91, 100),)},
}


def test_a_node_that_is_well_has_no_notices() -> None:
    """Nor has one without an engine."""
    assert collect_notices(WELL) == ()
    assert collect_notices(dataclasses.replace(WELL, certificate_until=0.0, skew=None)) == ()


@pytest.mark.parametrize("text", WRONG)
def test_each_thing_that_is_wrong_is_one_notice(text: str) -> None:
    """It begins with what is wrong, and says what to do."""
    (notice,) = collect_notices(dataclasses.replace(WELL, **WRONG[text]))  # type: ignore[arg-type]
    assert notice.text.startswith(text)
    assert notice.hint


def test_notices_do_not_change_with_every_look() -> None:
    """Numbers that move all the time are not in them, or the status would be news without end."""
    for skew, used in ((61.0, 91), (75.5, 99)):
        seen = dataclasses.replace(
            WELL, skew=skew, storage=(StorageMeter("state", used, 100),), now=NOW + used
        )
        assert [one.text for one in collect_notices(seen)] == [
            "the clock is more than a minute behind the engine's",
            "the state disk is more than 90% full",
        ]


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("engine.example.org", "https://engine.example.org:8443/"),
        ("engine.example.org:9443", "https://engine.example.org:8443/"),
        ("[2001:db8::1]:7443", "https://[2001:db8::1]:8443/"),
        ("", ""),
        ("a b", ""),
    ],
)
def test_a_browser_finds_the_engine(address: str, url: str) -> None:
    """The link's port is not the one for people."""
    assert engine_url(address) == url
