"""The network screen: what links there are, forms and their errors, preview, countdown, tests, reset."""

import asyncio
import dataclasses

import pytest

from nodelib.bus import CONFIG_SHOW, FACTS
from nodelib.bus_network import BlinkRequest, Probe, ProbeRequest
from nodelib.link import ApplyRequest
from tests.tui.conftest import Picture
from tests.tui.sessions import COLOUR, Session, running
from tui.widgets.fields import ChoiceField

PORT = {"match": {"mac": "52:54:00:12:00:00"}}


async def open_network(session: Session) -> None:
    """Open the screen and wait for what is on it."""
    await session.press("3")
    await session.wait_for(lambda: "Configuration" in session.text)


async def wait_for_dialog(session: Session, text: str) -> None:
    """Wait until something is asked."""
    await session.wait_for(lambda: text in session.text)
    await session.settle()


async def preview(session: Session) -> None:
    """Press the form's second button, which stands last."""
    await session.press("shift+tab")
    while session.app.focused is not None and session.app.focused.name != "yes":
        await session.press("shift+tab")
    await session.press("enter")


def set_choice(session: Session, name: str, value: str) -> None:
    """Choose a value as if it had been picked from the list."""
    field = next(field for field in session.app.screen.query(ChoiceField) if field.key == name)
    field.value = value


async def type_into(session: Session, name: str, text: str) -> None:
    """Type into a field of the form that is open."""
    field = next(field for field in session.app.screen.query("Field") if field.name == name)
    field.query_one("Input").focus()
    await session.type(text)


def test_addresses_that_come_and_go_are_followed() -> None:
    """A change that went back takes the node a moment: the page looks again when the status says so."""

    async def go() -> None:
        async with running("small") as session:
            await open_network(session)
            machine = session.machine
            facts = machine.get(FACTS)
            nic = dataclasses.replace(facts.nics[0], addresses=("198.51.100.7/24",))
            machine.put(FACTS, dataclasses.replace(facts, nics=(nic, *facts.nics[1:])))
            machine.set_status(addresses=("eth0: 198.51.100.7/24",))
            await session.wait_for(lambda: "198.51.100.7/24" in session.text)
            assert "192.0.2.5/24" not in session.text

    asyncio.run(go())


@pytest.mark.parametrize("machine", ["small", "server", "thirty-nics"])
def test_links_are_shown(machine: str, picture: Picture) -> None:
    """Each link with its carrier, speed and address; all else of the marked one below."""

    async def go() -> None:
        async with running(machine) as session:
            await open_network(session)
            picture(f"network-{machine}", session)

    asyncio.run(go())


def test_a_wide_terminal_shows_more_columns(picture: Picture) -> None:
    """With 120 columns MAC address and driver stand in the table."""

    async def go() -> None:
        async with running("thirty-nics", look=COLOUR, size=(120, 40)) as session:
            await open_network(session)
            picture("network-wide", session)

    asyncio.run(go())


def test_an_address_that_is_typed_switches_to_static() -> None:
    """Where it is seen, for both families; what is deleted again switches back."""

    async def go() -> None:
        async with running("small") as session:
            await open_network(session)
            await session.press("c")
            await wait_for_dialog(session, "IPv4 gateway")
            chosen = {field.key: field for field in session.app.screen.query(ChoiceField)}
            await type_into(session, "ipv4", "192.0.2.9/24")
            assert "< static: the addresses below >" in session.text
            await type_into(session, "ipv6", "2")
            assert (chosen["ipv4_method"].value, chosen["ipv6_method"].value) == ("static", "static")
            await session.press("backspace")
            assert chosen["ipv6_method"].value == ""
            await preview(session)
            await wait_for_dialog(session, "What will change")

    asyncio.run(go())


def test_the_way_out_of_a_link_is_in_its_details() -> None:
    """Router, DNS and time servers that are in force, whoever gave them."""

    async def go() -> None:
        async with running("server") as session:
            await open_network(session)
            await session.press(*["down"] * 6)
            await session.wait_for(lambda: "Gateway        198.51.100.1\n" in session.text)
            assert "DNS servers    198.51.100.53, 2001:db8:85a3::53" in session.text
            assert "NTP servers    ntp1.example.org" in session.text

    asyncio.run(go())


def test_a_static_address_is_previewed_applied_and_kept(picture: Picture) -> None:
    """What is missing is said at its field; then preview, application, and the countdown."""

    async def go() -> None:
        async with running("small") as session:
            await open_network(session)
            await session.press("c")
            await wait_for_dialog(session, "IPv4 gateway")
            picture("network-port-form", session)
            set_choice(session, "ipv4_method", "static")
            await type_into(session, "ipv4", "192.0.2.9")
            await preview(session)
            await wait_for_dialog(session, "lacks the prefix length")
            picture("network-no-prefix", session)
            await session.type("/24")
            await preview(session)
            await wait_for_dialog(session, "What will change")
            picture("network-preview", session)
            await session.press("right", "enter")
            await wait_for_dialog(session, "Keep this change?")
            await wait_for_dialog(session, "A change waits")  # The banner comes with the next second.
            picture("network-pending", session)
            port = {**PORT, "ipv4": ["192.0.2.9/24"]}
            request = ApplyRequest({"network": {"nic": [port]}}, 60.0)
            assert ("ConfigApply", request) in session.machine.calls
            await session.press("right", "right", "enter")
            await session.wait_for(lambda: any(name == "ConfigConfirm" for name, _ in session.machine.calls))

    asyncio.run(go())


def test_the_agents_objections_stand_at_their_fields(picture: Picture) -> None:
    """A problem that names a key of the form's table is shown at the field of that key."""

    async def go() -> None:
        async with running("small") as session:
            await open_network(session)
            await session.press("c")
            await wait_for_dialog(session, "IPv4 gateway")
            await type_into(session, "gateway4", "192.0.2.!")
            await preview(session)
            await wait_for_dialog(session, "is not allowed here")
            picture("network-objection", session)
            assert not any(name == "ConfigApply" for name, _ in session.machine.calls)

    asyncio.run(go())


@pytest.mark.parametrize("kind", ["bond", "vlan", "bridge"])
def test_a_link_is_added(kind: str, picture: Picture) -> None:
    """Bond, VLAN and bridge each have a form that says what is allowed."""

    async def go() -> None:
        async with running("thirty-nics") as session:
            await open_network(session)
            await session.press("a")
            await wait_for_dialog(session, "Bond: several")
            await session.press(*["down"] * ["bond", "vlan", "bridge"].index(kind), "enter")
            await wait_for_dialog(session, "[ Preview ]")
            picture(f"network-new-{kind}", session)

    asyncio.run(go())


def test_a_new_bond_takes_ports_by_what_stays_the_same() -> None:
    """Ports are typed by name and kept by MAC address; a member's own addresses go."""

    async def go() -> None:
        async with running("small") as session:
            await open_network(session)
            await session.press("a")
            await wait_for_dialog(session, "Bond: several")
            await session.press("enter")
            await wait_for_dialog(session, "LACP rate")
            await type_into(session, "name", "bond0")
            await type_into(session, "members", "eth0")
            await preview(session)
            await wait_for_dialog(session, "What will change")
            await session.press("right", "enter")
            await wait_for_dialog(session, "Keep this change?")
            document = session.machine.get(CONFIG_SHOW).document
            bond = {"name": "bond0", "members": ["52:54:00:12:00:00"], "mode": "active-backup"}
            assert document["network"] == {"nic": [PORT], "bond": [bond]}

    asyncio.run(go())


def test_a_bridge_is_removed_after_a_question(picture: Picture) -> None:
    """The question, then the preview; the list without it is what is applied."""

    async def go() -> None:
        async with running("small") as session:
            view = session.machine.get(CONFIG_SHOW)
            table = {"name": "br0", "members": ["eth0"]}
            document = {**view.document, "network": {"bridge": [table]}}
            session.machine.put(CONFIG_SHOW, type(view)(document))
            await open_network(session)
            await session.press("down", "d")
            await wait_for_dialog(session, "Remove br0?")
            picture("network-remove", session)
            await session.press("right", "enter")
            await wait_for_dialog(session, "What will change")
            await session.press("right", "enter")
            await session.wait_for(
                lambda: (
                    ("ConfigApply", ApplyRequest({"network": {"bridge": None}}, 60.0))
                    in session.machine.calls
                )
            )

    asyncio.run(go())


def test_a_lease_becomes_static(picture: Picture) -> None:
    """The patch that the agent makes of the lease goes through the preview."""

    async def go() -> None:
        async with running("small") as session:
            await open_network(session)
            await session.press("enter")
            await wait_for_dialog(session, "Make its DHCP lease static")
            picture("network-choices", session)
            await session.press("down", "down", "enter")
            await wait_for_dialog(session, "What will change")
            picture("network-lease", session)

    asyncio.run(go())


def test_a_port_without_a_lease_says_so(picture: Picture) -> None:
    """The reason and what to do instead."""

    async def go() -> None:
        async with running("server") as session:
            await open_network(session)
            await session.press("k")
            await wait_for_dialog(session, "has no address from DHCP")
            picture("network-no-lease", session)

    asyncio.run(go())


def test_names_and_time_are_changed(picture: Picture) -> None:
    """What the engine decided is shown and closed; what was changed alone is sent."""

    async def go() -> None:
        async with running("thirty-nics") as session:
            await open_network(session)
            await session.press("n")
            await wait_for_dialog(session, "NTP servers")
            picture("network-names", session)
            await type_into(session, "ntp.servers", ", ntp2.example.org")
            await preview(session)
            await wait_for_dialog(session, "What will change")
            await session.press("right", "enter")
            patch = {"ntp": {"servers": ["ntp1.example.org", "ntp2.example.org"]}}
            await session.wait_for(
                lambda: ("ConfigApply", ApplyRequest(patch, 60.0)) in session.machine.calls
            )

    asyncio.run(go())


@pytest.mark.parametrize("probe", list(Probe))
def test_the_network_is_tested(probe: Probe) -> None:
    """Each test is asked for with its target, and what it found is shown."""

    async def go() -> None:
        async with running("small") as session:
            await open_network(session)
            await session.press("t")
            await wait_for_dialog(session, "Any host")
            await session.press(*["down"] * list(Probe).index(probe), "enter")
            target = ""
            if probe in (Probe.DNS, Probe.HOST):
                target = "engine.example.org"
                await wait_for_dialog(session, "[ Test ]")
                await session.type(target)
                await session.press("enter", "tab", "enter")
            await wait_for_dialog(session, "It works")
            assert ("Probe", ProbeRequest(probe, target)) in session.machine.calls

    asyncio.run(go())


def test_a_test_that_fails_says_what_to_do(picture: Picture) -> None:
    """The finding and the hint; an empty target is asked for again."""

    async def go() -> None:
        async with running("small") as session:
            await open_network(session)
            await session.press("t")
            await wait_for_dialog(session, "Any host")
            await session.press("down", "enter")
            await wait_for_dialog(session, "[ Test ]")
            await session.press("enter", "tab", "enter")
            await wait_for_dialog(session, "Give a name")
            picture("network-no-target", session)
            await session.type("nothing.invalid")
            await session.press("enter", "tab", "enter")
            await wait_for_dialog(session, "It does not work")
            picture("network-test-failed", session)

    asyncio.run(go())


def test_a_light_blinks() -> None:
    """The marked port is the one that blinks."""

    async def go() -> None:
        async with running("server") as session:
            await open_network(session)
            await session.press("down", "b")
            await wait_for_dialog(session, "The light of eno2 blinks")
            assert ("Blink", BlinkRequest("eno2", 10)) in session.machine.calls

    asyncio.run(go())


def test_the_network_is_reset_after_a_question(picture: Picture) -> None:
    """What people decided is taken away; what the engine decided stays."""

    async def go() -> None:
        async with running("thirty-nics") as session:
            await open_network(session)
            await session.press("x")
            await wait_for_dialog(session, "Reset the network?")
            picture("network-reset", session)
            await session.press("right", "enter")
            await wait_for_dialog(session, "What will change")
            picture("network-reset-preview", session)
            await session.press("pagedown")
            await wait_for_dialog(session, "The change goes back by itself")
            await session.press("right", "enter")
            links = {"bond": None, "vlan": None, "bridge": None}
            patch = {"network": links, "ntp": {"servers": None}}
            await session.wait_for(
                lambda: ("ConfigApply", ApplyRequest(patch, 60.0)) in session.machine.calls
            )

    asyncio.run(go())
