"""The command line: with a running engine, and without one."""

import contextlib
import dataclasses
import json
import os
import re
import signal
import socket
import stat
import time
from pathlib import Path

import pytest

from engine.main import main, make_parser
from engine.simulate import SimulatedNode
from engine.store.database import open_store
from nodelib.facts import Disk, Nic
from tests.engine.bundles import write_bundle
from tests.engine.processes import PATIENCE, serving
from tests.engine.worlds import World


def run(*words: str | Path) -> int:
    """Run the command line in this process."""
    return main([str(word) for word in words])


def test_a_first_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Address, pin and first password are shown, the password once; files are for the owner alone."""
    home = tmp_path / "home"
    with serving(home) as engine:
        password = engine.find(r"password +(\S+)")
        assert run("ca", "show", "--home", home) == 0
        assert engine.pin in capsys.readouterr().out
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert stat.S_IMODE((home / "control.sock").stat().st_mode) == 0o600
        pin = engine.pin
    for path in (home / "engine.db", home / "server.pem", home / "ca/active.pem", home / "engine.id"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    with serving(home) as engine:
        assert engine.pin == pin
        assert "password" not in engine.welcome
    log = (tmp_path / "home.log").read_text()
    assert password not in log
    assert "Traceback" not in log
    assert not (home / "control.sock").exists()


def test_a_second_engine_in_the_same_folder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that says so, and the first goes on."""
    home = tmp_path / "home"
    with serving(home):
        assert run("serve", "--home", home) == 1
        assert "an engine is at work in" in capsys.readouterr().err
        assert run("nodes", "list", "--home", home) == 0


def test_a_port_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line that says which, and what to do."""
    with serving(tmp_path / "first") as engine:
        argv = (
            "serve",
            "--home",
            tmp_path / "second",
            "--listen",
            "127.0.0.1",
            "--link-port",
            str(engine.port),
        )
        assert run(*argv) == 1
        printed = capsys.readouterr().err
    assert f"cannot listen on 127.0.0.1, port {engine.port}" in printed
    assert "--link-port" in printed


def test_a_node_is_let_in_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Token, nodes, maintenance, revocation, removal, backup and settings, while the engine runs."""
    home = tmp_path / "home"
    with serving(home) as engine:
        assert run("token", "create", "--uses", "3", "--expires", "1h", "--home", home) == 0
        token = capsys.readouterr().out.strip()
        where = ("--engine", f"127.0.0.1:{engine.port}", "--pin", engine.pin, "--token", token)
        assert run("simulate", *where, "--nodes", "3", "--seconds", "0.2", "--json") == 0
        report = json.loads(capsys.readouterr().out)
        assert (report["registered"], report["heartbeats"], report["errors"]) == (3, 3, [])
        assert run("nodes", "list", "--home", home, "--json") == 0
        nodes = json.loads(capsys.readouterr().out)
        assert [node["name"] for node in nodes] == ["sim-00000", "sim-00001", "sim-00002"]
        assert run("token", "list", "--home", home, "--json") == 0
        (listed,) = json.loads(capsys.readouterr().out)
        assert (listed["used"], listed["uses"], listed["token"]) == (3, 3, "")
        assert run("nodes", "deactivate", "sim-00000", "--home", home) == 0
        assert "sim-00000 is maintenance" in capsys.readouterr().out
        assert run("nodes", "activate", "sim-00000", "--home", home) == 0
        assert run("nodes", "revoke", "sim-00001", "--home", home) == 0
        assert run("nodes", "remove", nodes[2]["id"], "--home", home) == 0
        assert run("token", "revoke", listed["id"], "--home", home) == 0
        assert run("settings", "set", "rekey", "never", "--home", home) == 0
        assert run("backup", tmp_path / "backup.tar", "--home", home) == 0
        assert run("restore", tmp_path / "backup.tar", "--home", home) == 1
        capsys.readouterr()
        assert run("nodes", "list", "--home", home) == 0
        assert re.search(r"sim-00001 +rejected", capsys.readouterr().out)
    log = (tmp_path / "home.log").read_text()
    assert token not in log
    assert run("restore", tmp_path / "backup.tar", "--home", tmp_path / "other") == 0
    capsys.readouterr()
    assert run("settings", "show", "--home", tmp_path / "other", "--json") == 0
    assert json.loads(capsys.readouterr().out)["rekey"] == "never"


def test_one_node_is_shown(
    world: World, database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever compares the console with the engine finds key and machine, and nothing a terminal obeys."""
    former, node = world.joined(1), SimulatedNode(2)
    node.facts = dataclasses.replace(
        node.facts,
        hostname="rack\x1b[31m-2",
        hardware=former.facts.hardware,
        disks=(Disk("sda", model="Acme", serial="D-1", size_bytes=100 << 30, holds=("ext4",)),),
        nics=(Nic("eno1", "physical", "52:54:00:00:00:01", speed_mbps=1000, link=True),),
    )
    waiting = world.nodes.get(world.register(node).node)
    where = ("--home", tmp_path, "--database", database)
    assert run("nodes", "show", waiting.code.lower(), *where) == 0
    shown = capsys.readouterr().out
    for pattern in (
        f"code +{waiting.code}",
        f"fingerprint +{re.escape(waiting.fingerprint)}",
        r"state +pending since \d{4}",
        "reason +shows another key on the hardware of sim-00001",
        "do +compare",
        "claims +sim-00001",
        r"host name +rack \[31m-2",
        "address +192.0.2.1",
        "connected +no",
        "serial +S000001",
        "CPU +simulated, 1 sockets, 4 cores, 8 threads",
        r"memory +64\.0 GiB",
        r"disk +sda  100\.0 GiB  Acme  D-1  ext4",
        "NIC +eno1  physical  52:54:00:00:00:01  link  1000 Mb/s",
    ):
        assert re.search(f"^{pattern}", shown, re.M), pattern
    assert "\x1b" not in shown
    assert run("nodes", "show", "sim-00001", "--json", *where) == 0
    detail = json.loads(capsys.readouterr().out)
    assert detail["facts"]["hardware"]["serial"] == "S000001"
    assert detail["approved_by"].startswith("token:")
    assert run("nodes", "show", "nobody", *where) == 1


def test_images_updates_and_rolls_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Add, list, look, upgrade, roll, status, stop and remove, with a running engine and simulated nodes."""
    home = tmp_path / "home"
    with serving(home) as engine:
        assert run("token", "create", "--uses", "2", "--home", home) == 0
        token = capsys.readouterr().out.strip()
        where = ("--engine", f"127.0.0.1:{engine.port}", "--pin", engine.pin, "--token", token)
        assert (
            run("simulate", *where, "--nodes", "2", "--seconds", "1", "--updates", "succeed", "--json") == 0
        )
        report = json.loads(capsys.readouterr().out)
        assert (report["registered"], report["errors"]) == (2, [])
        assert run("image", "add", write_bundle(tmp_path), "--home", home) == 0
        assert "0.2.0 (build-0.2.0) is here" in capsys.readouterr().out
        assert run("image", "list", "--home", home) == 0
        assert re.search(r"0\.2\.0 +build-0\.2\.0 +simulated 2", capsys.readouterr().out)
        assert run("nodes", "updates", "sim-00000", "--home", home) == 0
        assert re.search(r"available +0\.2\.0 \(build-0\.2\.0\)", capsys.readouterr().out)
        assert run("nodes", "upgrade", "sim-00000", "--home", home) == 1
        assert "sim-00000 is not connected" in capsys.readouterr().err
        assert run("roll", "status", "--home", home) == 0
        assert "Default was never rolled" in capsys.readouterr().out
        assert run("roll", "Default", "--image", "0.2.0", "--one-at-a-time", "--home", home) == 0
        assert "Default to 0.2.0 (build-0.2.0): running, 0 %" in capsys.readouterr().out
        assert run("image", "remove", "0.2.0", "--home", home) == 1
        assert run("roll", "stop", "--json", "--home", home) == 0
        capsys.readouterr()
    assert run("image", "list", "--json", "--home", home) == 0
    assert json.loads(capsys.readouterr().out)[0]["here"] is True
    assert run("nodes", "upgrade", "sim-00000", "--home", home) == 1
    assert "no engine runs here" in capsys.readouterr().err
    assert run("roll", "status", "--home", home) == 0
    assert re.search(r"sim-00000 +waiting", capsys.readouterr().out)


def test_without_an_engine_the_database_is_used(
    world: World, database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is decided then holds when the engine starts."""
    waiting = world.register(SimulatedNode())
    code = world.nodes.get(waiting.node).code
    where = ("--home", tmp_path, "--database", database)
    assert run("nodes", "list", *where) == 0
    assert code in capsys.readouterr().out
    assert run("nodes", "approve", code.lower(), *where) == 0
    assert run("nodes", "approve", code, *where) == 1
    assert "does not wait for approval" in capsys.readouterr().err
    assert run("token", "create", *where) == 0
    for step in ("stage", "activate", "retire"):
        assert run("ca", step, *where) == 0
    with contextlib.closing(open_store(database)) as store:
        assert store.version() >= 1
    assert world.restarted().nodes.get(waiting.node).approved_by is not None


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("nodes", "list"), 1, "there is no engine in"),
        (("token", "create", "--expires", "soon"), 2, "is no duration"),
        (("token", "create", "--expires", "0h"), 2, "is no duration"),
        (("serve", "--database", "mysql://x"), 2, "kind"),
        (("nodes", "reboot", "x"), 1, "there is no engine in"),
        (("serve", "--name", "bücher"), 2, "no name of a host"),
        (("restore", "/nonexistent"), 1, "there is no file"),
    ],
)
def test_wrong_use_gets_one_line_and_a_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], status: int, message: str
) -> None:
    """2 for wrong input, 1 for the rest, and no traceback."""
    assert run(*words, "--home", tmp_path / "home") == status
    printed = capsys.readouterr().err
    assert message in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    ("engine", "status", "message"),
    [("nowhere", 2, "is no HOST:PORT"), ("127.0.0.1:1", 1, "does not answer")],
)
def test_simulating_against_nobody(
    capsys: pytest.CaptureFixture[str], engine: str, status: int, message: str
) -> None:
    """The error is one line."""
    assert run("simulate", "--engine", engine, "--pin", "sha256:0", "--token", "x") == status
    assert message in capsys.readouterr().err


def test_an_interruption_stops_the_engine_cleanly(tmp_path: Path) -> None:
    """SIGINT and SIGTERM end it with status 0, soon, and leave no socket."""
    home = tmp_path / "home"
    for number in (signal.SIGINT, signal.SIGTERM):
        with serving(home) as engine:
            begun = time.monotonic()
            os.kill(engine.process.pid, number)
            assert engine.process.wait(PATIENCE) == 0
            assert time.monotonic() - begun < 15
        assert not (home / "control.sock").exists()


def test_a_socket_that_a_dead_engine_left_is_no_engine(world: World, tmp_path: Path, database: str) -> None:
    """The command line works on the database, and the next engine takes the socket's name."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as left:
        left.bind(str(tmp_path / "control.sock"))
    assert run("nodes", "list", "--home", tmp_path, "--database", database) == 0


def test_every_verb_has_help() -> None:
    """Nothing is listed without a word on what it does."""
    text = make_parser().format_help()
    for verb in (
        "serve",
        "token",
        "nodes",
        "image",
        "roll",
        "ca",
        "settings",
        "backup",
        "restore",
        "simulate",
    ):
        assert re.search(rf"^ +{verb} +\w", text, re.MULTILINE), verb
