"""The sources of an intent: who wins, and what a bad one leaves in force."""

from pathlib import Path

import pytest

from nodeagent.intent import BootArguments
from nodeagent.intent_sources import (
    EMBEDDED,
    GOOD_STATE,
    IMAGE,
    STATE,
    find_asked,
    leaf_keys,
    load_intent,
    load_state,
    load_with_state,
    merge,
    parse_node_toml,
)
from nodeagent.intent_versions import MIGRATIONS, migrate
from nodeagent.kernel_arguments import read_kernel_arguments
from nodelib.errors import InvalidInput
from tests.nodeagent.node_trees import PIN


def write(root: Path, name: str, text: str) -> None:
    """Write a file below a root."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_later_sources_win_key_by_key(tmp_path: Path) -> None:
    """Each key comes from the last source that says it, and the node can say which that was."""
    write(tmp_path, IMAGE, '[system]\nhostname = "image"\ntimezone = "UTC"\n[dns]\nsearch = ["a", "b"]\n')
    write(tmp_path, EMBEDDED, '[system]\nhostname = "embedded"\n[engine]\naddress = "one"\ntoken = "t"\n')
    write(tmp_path, STATE, 'version = 1\n[dns]\nsearch = ["c"]\n')
    loaded = load_intent(tmp_path, f"quiet node.engine=two:443 node.ca={PIN} root=live:x")
    assert loaded.problems == ()
    assert loaded.document == {
        "version": 2,
        "system": {"hostname": "embedded", "timezone": "UTC"},
        "dns": {"search": ["c"]},
        "engine": {"address": "two:443", "token": "t", "ca": [PIN]},
    }
    assert loaded.origins == {
        "version": f"/{STATE}",
        "system.hostname": f"/{EMBEDDED}",
        "system.timezone": f"/{IMAGE}",
        "dns.search": f"/{STATE}",
        "engine.address": "kernel arguments",
        "engine.token": f"/{EMBEDDED}",
        "engine.ca": "kernel arguments",
    }
    assert (loaded.intent.engine.address, loaded.intent.dns.search) == ("two:443", ("c",))


def test_without_sources_there_is_an_intent(tmp_path: Path) -> None:
    """A node that nobody said anything to is a node all the same."""
    loaded = load_intent(tmp_path, "")
    assert (loaded.document, loaded.problems, loaded.intent.access.ssh) == ({"version": 2}, (), "image")


def test_a_bad_source_is_left_out_whole(tmp_path: Path) -> None:
    """Half of what somebody meant may be worse than nothing of it: what was before stays in force."""
    write(tmp_path, IMAGE, '[system]\nhostname = "image"\n')
    write(tmp_path, EMBEDDED, '[system]\nhostname = "embedded"\ntimezone = 5\n')
    loaded = load_intent(tmp_path, "")
    assert loaded.intent.system.hostname == "image"
    assert loaded.problems == (
        f"/{EMBEDDED}:3: system.timezone: 5 is not text; allowed: a name such as Europe/Berlin",
    )


def test_a_source_that_does_not_go_with_the_others_is_left_out(tmp_path: Path) -> None:
    """What is wrong with two sources together is said of the later one."""
    write(tmp_path, IMAGE, '[[network.nic]]\nmatch = { name = "eth0" }\nipv4 = ["192.0.2.5/24"]\n')
    write(tmp_path, EMBEDDED, '[[network.bridge]]\nname = "br0"\nmembers = [\n"eth0"]\n')
    loaded = load_intent(tmp_path, "")
    assert loaded.intent.network.bridge == ()
    assert len(loaded.problems) == 1
    assert loaded.problems[0].startswith(f"/{EMBEDDED}:3: network.bridge[0].members[0]: eth0 has addresses")


def test_a_broken_state_leaves_the_last_good_one_in_force(tmp_path: Path) -> None:
    """Who breaks the state by hand keeps the node as it was, and is told the line."""
    write(tmp_path, GOOD_STATE, '[system]\nhostname = "good"\n')
    write(tmp_path, STATE, '[system]\nhostname = "new"\ncolour = 1\n')
    loaded = load_intent(tmp_path, "")
    assert loaded.intent.system.hostname == "good"
    assert loaded.problems == (f"/{STATE}:3: system.colour: unknown; known are hostname, timezone, keymap",)
    assert load_state(tmp_path) == {"version": 2, "system": {"hostname": "good"}}


def test_a_state_that_was_taken_away_is_gone(tmp_path: Path) -> None:
    """Who deletes the state gets a node without one, not its copy."""
    write(tmp_path, GOOD_STATE, '[system]\nhostname = "good"\n')
    assert load_intent(tmp_path, "").intent.system.hostname == ""


def test_what_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    """Bytes that are no text, and a folder in a file's place, stop nothing."""
    (tmp_path / IMAGE).mkdir(parents=True)
    (tmp_path / EMBEDDED).parent.mkdir(parents=True)
    (tmp_path / EMBEDDED).write_bytes(b"\xff\xfe")
    problems = load_intent(tmp_path, "").problems
    assert [line.partition(": ")[0] for line in problems] == [f"/{IMAGE}", f"/{EMBEDDED}"]


def test_a_wrong_kernel_argument_is_left_out_alone(tmp_path: Path) -> None:
    """The others count, and no secret is repeated."""
    cmdline = (
        f'node.engine=engine node.ca={PIN} node.token="a b" node.enginee=x node.stateless '
        "node.config=ftp://x node.survey=file:///x"
    )
    loaded = load_intent(tmp_path, cmdline)
    assert (loaded.intent.engine.address, loaded.intent.engine.ca, loaded.intent.engine.token) == (
        "engine",
        (PIN,),
        "",
    )
    assert loaded.boot == BootArguments(stateless=True)
    assert [line.split(":")[0] for line in loaded.problems] == [
        "kernel argument node.enginee",
        "kernel argument node.token",
        "kernel argument node.config",
        "kernel argument node.survey",
    ]
    assert "a b" not in "".join(loaded.problems)


def test_kernel_arguments_are_read_as_the_kernel_does() -> None:
    """Quotes hold words together, the last of two counts, and node.ca may repeat."""
    other = PIN.replace("5a", "a5")
    found = read_kernel_arguments(
        f'a "node.engine=one" node.engine=two node.ca={PIN} node.ca={other} node.console=ttyS0,115200 '
        "node.install=ask node.config=https://conf.example.org/a?b=c node.stateless=0 xnode.engine=y\n"
    )
    assert found.document == {"engine": {"address": "two", "ca": [PIN, other]}}
    assert found.boot == BootArguments(
        config_url="https://conf.example.org/a?b=c", console="ttyS0,115200", install="ask"
    )
    assert found.problems == ()


def test_a_patch_is_laid_over_key_by_key() -> None:
    """None takes a key away, a list is replaced whole, and what was given is not changed."""
    before: dict[str, object] = {"a": {"b": 1, "c": [1, 2]}, "d": {"e": 1}}
    assert merge(before, {"a": {"c": [3]}, "d": {"e": None}, "f": {"g": 2}}) == {
        "a": {"b": 1, "c": [3]},
        "f": {"g": 2},
    }
    assert before == {"a": {"b": 1, "c": [1, 2]}, "d": {"e": 1}}
    assert list(leaf_keys(before)) == ["a.b", "a.c", "d.e"]


def test_a_state_to_come_is_checked_with_all_others(tmp_path: Path) -> None:
    """A change is refused with everything that is wrong with it."""
    write(tmp_path, IMAGE, '[system]\nhostname = "image"\n')
    assert load_with_state(tmp_path, "", {"ntp": {"servers": ["a"]}}, "x").intent.ntp.servers == ("a",)
    with pytest.raises(InvalidInput) as caught:
        load_with_state(tmp_path, "", {"ntp": {"servers": None}, "dns": {"serv": []}}, "the change")
    assert caught.value.problems == ("the change: dns.serv: unknown; known are servers, search",)


def test_documents_of_an_older_version_go_up_and_back() -> None:
    """Each step between two versions is undone by its other direction."""
    old: dict[str, object] = {"version": 0, "engine": {"server": "engine.example.org", "token": "t"}}
    new: dict[str, object] = {"version": 2, "engine": {"address": "engine.example.org", "token": "t"}}
    assert migrate(old) == new
    assert migrate(new, target=0) == old
    assert parse_node_toml('version = 0\n[engine]\nserver = "e"\n', "x")["engine"] == {"address": "e"}
    before: dict[str, object] = {"version": 1, "access": {"ssh": "auto", "ssh_keys": []}}
    assert migrate(before) == {"version": 2, "access": {"ssh": "image", "ssh_keys": []}}
    assert migrate(migrate(before), target=1) == before
    later: dict[str, object] = {
        "version": 2,
        "access": {"ssh": "automatic", "password": "$y$x", "idle_lock": 5},
        "system": {"hostname": "a", "keymap": "de"},
        "storage": {"initiator": "iqn.2026-01.org.example"},
    }
    assert migrate(later, target=1) == {"version": 1, "access": {"ssh": "auto"}, "system": {"hostname": "a"}}
    assert sorted(MIGRATIONS) == list(range(len(MIGRATIONS)))


def test_a_document_without_a_version_is_of_the_newest() -> None:
    """Nothing is migrated that does not say that it is old."""
    assert migrate({"engine": {"server": "e"}}) == {"version": 2, "engine": {"server": "e"}}


def test_what_is_asked_is_asked_until_it_is_answered(tmp_path: Path) -> None:
    """A value that was prepared is a proposal; a kernel argument or the state is an answer."""
    text = 'ask = ["system.hostname", "system.timezone", "engine.address"]\n[system]\nhostname = "node"\n'
    write(tmp_path, EMBEDDED, text)
    assert find_asked(load_intent(tmp_path, "")) == ("system.hostname", "system.timezone", "engine.address")
    write(tmp_path, STATE, 'version = 1\n[system]\nhostname = "node"\n')
    assert find_asked(load_intent(tmp_path, "node.engine=one")) == ("system.timezone",)


@pytest.mark.parametrize(
    "key", ["system", "system.colour", "network.nic", "version", "ask", "", "system.hostname.x"]
)
def test_what_cannot_be_asked_is_told(key: str) -> None:
    """One answer fills one key."""
    with pytest.raises(InvalidInput, match=r"1: ask\[0\]: .* is wrong; allowed: a table and a key"):
        parse_node_toml(f'ask = ["{key}"]\n', "node.toml")
