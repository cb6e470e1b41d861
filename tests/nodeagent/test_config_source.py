"""node.config: the URL, the server behind it, and what a node keeps of the answer."""

import contextlib
import http.server
import shutil
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nodeagent.backoff import Backoff
from nodeagent.boot_config import collect_sources
from nodeagent.config_fetch import fetch_document
from nodeagent.config_source import AUTHORITIES, DHCP_TRIES, IDLE, LEASE_TRIES, ConfigSource
from nodeagent.config_url import LEASES, Marks, fill_in, find_dhcp_url, read_marks
from nodeagent.factory_reset import ask_for_reset, finish_reset
from nodeagent.intent_sources import CONFIG_URL, FETCHED, MEDIUM, STATE, load_intent
from nodeagent.trust import pin_of
from nodelib.bus import (
    CONFIG_APPLY,
    CONFIG_CONFIRM,
    CONFIG_SHOW,
    LEAVE,
    STATUS,
    AskedKind,
    SourceState,
    SourceStep,
)
from nodelib.errors import Code, VirtnodeError
from nodelib.facts import Nic
from nodelib.link import ApplyRequest, ConfirmRequest, Nothing
from nodelib.run import run
from nodelib.urls import show_url
from tests.nodeagent.authority import CLIENT, Authority, Issued
from tests.nodeagent.buses import running_agent
from tests.nodeagent.engine_double import wait_for
from tests.nodeagent.machines import make_machine

TEXT = '[system]\nhostname = "fetched"\n'
OTHER_PIN = "sha256:" + "0" * 64
MAC = "52:54:00:12:34:56"


@dataclass
class Served:
    """A web server's answers, and what it was asked for."""

    port: int = 0
    status: int = 200
    body: bytes = TEXT.encode()
    paths: list[str] = field(default_factory=list)
    posted: list[bytes] = field(default_factory=list)

    def url(self, path: str = "/node.toml", scheme: str = "http") -> str:
        """Name a document of it."""
        return f"{scheme}://127.0.0.1:{self.port}{path}"


@contextlib.contextmanager
def server(
    issued: Issued | None = None, authority: Authority | None = None, *, pem: Path | None = None, folder: Path
) -> Iterator[Served]:
    """Serve one document to whoever asks, by HTTPS if there is a certificate."""
    served = Served()

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.paths.append(self.path)
            self.send_response(served.status)
            self.send_header("Location", "http://192.0.2.1/elsewhere")
            self.end_headers()
            self.wfile.write(served.body)

        def do_POST(self) -> None:
            served.posted.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    if issued is not None and authority is not None:
        certificate, key = issued.write(folder)
        pem = folder / "pem"
        pem.write_text(key.read_text() + certificate.read_text() + authority.pem)
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
        httpd.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
    served.port = httpd.server_address[1]
    thread = threading.Thread(target=httpd.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield served
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


@dataclass
class World:
    """A source over a machine, and how often it had news."""

    root: Path
    source: ConfigSource
    news: list[int] = field(default_factory=list)


def world(tmp_path: Path, url: str, *, is_open: bool = True, pins: tuple[str, ...] = ()) -> World:
    """Make a machine with a source."""
    root = make_machine(tmp_path / "root", {"proc/cmdline": "quiet\n", "run/virtnode/status.json": ""})
    news: list[int] = []
    source = ConfigSource(
        root,
        url,
        marks=lambda: Marks(mac=MAC),
        pins=lambda: pins,
        is_open=lambda: is_open,
        on_document=lambda: news.append(1),
        backoff=Backoff(lambda: 1.0),
    )
    return World(root, source, news)


def test_the_marks_are_put_in() -> None:
    """A serial number with anything in it cannot leave its part of the URL."""
    marks = Marks(MAC, "abcd-ef", "A/1 ?&#")
    url = fill_in("http://h/${mac}/${uuid}?s=${serial}&x=${other}", marks)
    assert url == f"http://h/{MAC}/abcd-ef?s=A%2F1%20%3F%26%23&x=${{other}}"
    assert show_url("https://user:secret@h:1/a?token=x") == "https://h:1/a"


def test_the_mac_is_of_the_port_in_use(tmp_path: Path) -> None:
    """A port with addresses, else one with a carrier, else the first; UUID and serial are the firmware's."""
    files = {"sys/class/dmi/id/product_uuid": "ABCD-EF\n", "sys/class/dmi/id/product_serial": "S1\n"}
    root = make_machine(tmp_path, files)
    ports = [
        Nic("br0", "bridge", "52:54:00:00:00:09", addresses=("192.0.2.9/24",)),
        Nic("eth0", "physical", "52:54:00:00:00:01"),
        Nic("eth1", "physical", "52:54:00:00:00:02", link=True),
        Nic("eth2", "physical", "52:54:00:00:00:AA", addresses=("192.0.2.5/24",)),
    ]
    assert read_marks(root, ports) == Marks("52:54:00:00:00:aa", "abcd-ef", "S1")
    assert read_marks(root, ports[:3]).mac.endswith("02")
    assert read_marks(root, ports[:2]).mac.endswith("01")
    assert read_marks(tmp_path / "none", ()) == Marks()


def test_a_document_is_fetched_once_and_kept(tmp_path: Path) -> None:
    """It is a source from then on, and after a restart without the server, for this URL alone."""
    with server(folder=tmp_path) as served:
        template = served.url("/${mac}.toml?a=b")
        made = world(tmp_path, template)
        assert made.source.look() == IDLE
        assert made.source.look() == IDLE
    assert served.paths == [f"/{MAC}.toml?a=b"]
    assert (made.news, made.source.problems) == ([1], ())
    assert (made.root / FETCHED).stat().st_mode & 0o777 == 0o600
    loaded = load_intent(made.root, f"node.config={template}")
    assert (loaded.intent.system.hostname, loaded.problems) == ("fetched", ())
    assert load_intent(made.root, "node.config=http://other/").intent.system.hostname == ""
    assert load_intent(made.root, "").intent.system.hostname == ""
    again = world(tmp_path, template)
    assert again.source.look() == 1.0
    assert "what was fetched before stays" in again.source.problems[0]


def test_what_is_nothing_new_is_no_news(tmp_path: Path) -> None:
    """The same document at the next start changes nothing."""
    with server(folder=tmp_path) as served:
        for expected in ([1], []):
            made = world(tmp_path, served.url())
            made.source.look()
            assert made.news == expected


def test_it_tries_until_the_document_is_right(tmp_path: Path) -> None:
    """Each failure waits longer; the problem says what is wrong, and is gone in the end."""
    with server(folder=tmp_path) as served:
        made = world(tmp_path, served.url("/node.toml?password=secret"))
        for status, body, said in (
            (404, b"", "answers 404"),
            (302, b"", "answers 302"),
            (200, b"[system]\nhostname = 5\n", ":2: system.hostname: 5 is not text"),
            (200, b"\xff", "no text in UTF-8"),
            (200, b"x" * (1024 * 1024 + 1), "more than"),
        ):
            served.status, served.body = status, body
            assert made.source.look() >= 1.0
            assert said in made.source.problems[0]
            assert "secret" not in made.source.problems[0]
            assert "\n" not in made.source.problems[0]
        served.status, served.body = 200, TEXT.encode()
        assert made.source.look() == IDLE
    assert (made.news, made.source.problems) == ([1], ())


def test_a_server_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    """As before the network is up."""
    made = world(tmp_path, "http://127.0.0.1:1/node.toml")
    assert [made.source.look() for _ in range(3)] == [1.0, 2.0, 4.0]
    assert "cannot be fetched" in made.source.problems[0]


def test_https_asks_for_a_pin_or_an_authority(tmp_path: Path) -> None:
    """The engine's own authority by its pin, or a server's own certificate by its."""
    authority = Authority(time.time())
    issued = authority.issue()
    with server(issued, authority, folder=tmp_path) as served:
        url = served.url(scheme="https")
        assert fetch_document(url, [authority.pin]) == TEXT
        assert fetch_document(url, [pin_of(issued.certificate)]) == TEXT
        for pins in ([], [OTHER_PIN]):
            with pytest.raises(VirtnodeError, match="certificate is not trusted") as caught:
                fetch_document(url, pins)
            assert caught.value.code is Code.DENIED
        assert len(served.paths) == 2


def test_an_image_may_trust_an_authority(tmp_path: Path) -> None:
    """By name, as browsers do; a pin that is the engine's alone does not stand in the way."""
    key, certificate, pem = (tmp_path / name for name in ("key", "ca.pem", "both"))
    openssl = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]
    openssl += ["-subj", "/CN=web", "-addext", "subjectAltName=IP:127.0.0.1"]
    run([*openssl, "-keyout", key, "-out", certificate])
    pem.write_text(key.read_text() + certificate.read_text())
    with server(pem=pem, folder=tmp_path) as served:
        made = world(tmp_path, served.url(scheme="https"), pins=(OTHER_PIN,))
        assert made.source.look() < IDLE
        (made.root / AUTHORITIES).mkdir(parents=True)
        (made.root / AUTHORITIES / "ca.pem").write_text(certificate.read_text())
        assert made.source.look() == IDLE


def test_a_node_of_the_engine_cannot_pose_as_its_server(tmp_path: Path) -> None:
    """Its certificate is a client's, though of the pinned authority."""
    authority = Authority(time.time())
    with server(authority.issue(usage=CLIENT), authority, folder=tmp_path) as served:
        with pytest.raises(VirtnodeError, match="not trusted"):
            fetch_document(served.url(scheme="https"), [authority.pin])
        assert served.paths == []


def test_a_dhcp_server_may_name_it_while_nobody_said_anything(tmp_path: Path) -> None:
    """Option 224; an argument of the kernel or a configured node does not look at it."""
    with server(folder=tmp_path) as served:
        made = world(tmp_path, "")
        lease = made.root / LEASES / "2"
        lease.parent.mkdir(parents=True)
        lease.write_text("ADDRESS=192.0.2.5\n")
        assert made.source.look() < IDLE
        lease.write_text(f"ADDRESS=192.0.2.5\nOPTION_224={served.url().encode().hex()}\n")
        closed = world(tmp_path, "", is_open=False)
        assert (closed.source.look(), closed.news) == (IDLE, [])
        assert made.source.look() == IDLE
    assert load_intent(made.root, "").intent.system.hostname == "fetched"
    assert load_intent(made.root, "node.config=http://other/").intent.system.hostname == ""
    lease.write_text("OPTION_224=zz\n")
    assert find_dhcp_url(made.root) == ""
    lease.write_text(f"OPTION_224={b'file:///etc/passwd'.hex()}\n")
    assert find_dhcp_url(made.root) == ""


def test_an_agent_takes_it_up_and_asks_what_is_left(tmp_path: Path) -> None:
    """From the lease to the configuration in force; what the document asks is in the status."""
    with server(folder=tmp_path) as served:
        served.body = b'ask = ["dns.search"]\n' + TEXT.encode()
        lease = tmp_path / "root" / LEASES / "2"
        lease.parent.mkdir(parents=True)
        lease.write_text(f"OPTION_224={served.url('/${mac}').encode().hex()}\n")
        with running_agent(tmp_path / "bus", tmp_path / "root") as running:

            def asked() -> bool:
                found = running.client.call(STATUS, Nothing())
                assert not any("dns.search" in problem for problem in found.problems)
                return [(one.key, one.kind) for one in found.asked] == [("dns.search", AskedKind.LIST)]

            wait_for(asked)
            view = running.client.call(CONFIG_SHOW, Nothing())
            assert view.document["system"] == {"hostname": "fetched"}
            assert (view.problems, view.asked) == ((), ("dns.search",))
            patch = {"dns": {"search": ["example.org"]}}
            ticket = running.client.call(CONFIG_APPLY, ApplyRequest(patch)).ticket
            if ticket:
                running.client.call(CONFIG_CONFIRM, ConfirmRequest(ticket))
            wait_for(lambda: not asked())
    assert served.paths == ["/52:54:00:00:00:01"]


def test_a_lease_is_not_watched_for_ever(tmp_path: Path) -> None:
    """Most servers name no URL."""
    made = world(tmp_path, "")
    waits = [made.source.look() for _ in range(DHCP_TRIES + 1)]
    assert waits[-1] == IDLE
    assert max(waits[: DHCP_TRIES - 1]) < IDLE


def test_what_is_expected_is_settled_once_it_came(tmp_path: Path) -> None:
    """A URL until its document is there, however long; on a configured node nothing is expected of DHCP."""
    assert world(tmp_path / "closed", "", is_open=False).source.is_settled
    with server(folder=tmp_path) as served:
        served.status = 404
        made = world(tmp_path, served.url("/a.toml?secret"), is_open=False)
        for _ in range(LEASE_TRIES + DHCP_TRIES):
            made.source.look()
        assert (made.source.is_settled, made.source.awaits) == (False, served.url("/a.toml"))
        served.status = 200
        made.source.look()
        assert (made.source.is_settled, made.source.awaits) == (True, "")


def test_a_lease_settles_what_a_dhcp_server_may_say(tmp_path: Path) -> None:
    """One without the option at the second look, none after a minute; one with it once it is fetched."""
    made = world(tmp_path / "none", "")
    for _ in range(LEASE_TRIES):
        assert not made.source.is_settled
        made.source.look()
    assert made.source.is_settled
    made = world(tmp_path / "plain", "")
    lease = made.root / LEASES / "2"
    lease.parent.mkdir(parents=True)
    lease.write_text("ADDRESS=192.0.2.5\n")
    made.source.look()
    assert "DHCP" in made.source.awaits
    made.source.look()
    assert made.source.is_settled
    named = world(tmp_path / "named", "")
    lease = named.root / LEASES / "2"
    lease.parent.mkdir(parents=True)
    lease.write_text(f"OPTION_224={b'http://127.0.0.1:1/a'.hex()}\n")
    for _ in range(LEASE_TRIES + 1):
        named.source.look()
    assert named.source.awaits == "http://127.0.0.1:1/a"


def name_by_dhcp(root: Path, url: str) -> None:
    """Have a lease name a URL."""
    lease = root / LEASES / "2"
    lease.parent.mkdir(parents=True, exist_ok=True)
    lease.write_text(f"OPTION_224={url.encode().hex()}\n")


def decide_at_the_node(root: Path, text: str = '[system]\ntimezone = "UTC"\n') -> None:
    """Have the state say that somebody decided something."""
    (root / STATE).write_text(f"version = 2\n{text}")


def test_what_a_dhcp_server_named_stays_below_what_is_decided(tmp_path: Path) -> None:
    """After a restart without network it is a source still, and its URL is asked again whoever is silent."""
    with server(folder=tmp_path) as served:
        made = world(tmp_path, "")
        name_by_dhcp(made.root, served.url())
        assert made.source.look() == IDLE
        decide_at_the_node(made.root)
        shutil.rmtree(made.root / "run")
        loaded = load_intent(made.root, "")
        assert (loaded.intent.system.hostname, loaded.intent.system.timezone) == ("fetched", "UTC")
        assert (made.root / CONFIG_URL).stat().st_mode & 0o777 == 0o600
        served.body = b'[system]\nhostname = "newer"\ntimezone = "Europe/Berlin"\n'
        again = world(tmp_path, "", is_open=False)
        assert (again.source.look(), again.news) == (IDLE, [1])
    loaded = load_intent(made.root, "")
    assert (loaded.intent.system.hostname, loaded.intent.system.timezone) == ("newer", "UTC")
    away = world(tmp_path, "", is_open=False)
    away.source.look()
    assert "what was fetched before stays" in away.source.problems[0]


def test_another_dhcp_server_is_not_heard_once_something_is_decided(tmp_path: Path) -> None:
    """Before, its word takes the place of the first one's; afterwards the first URL is asked."""
    with server(folder=tmp_path) as first, server(folder=tmp_path) as second:
        made = world(tmp_path, "")
        name_by_dhcp(made.root, first.url())
        made.source.look()
        name_by_dhcp(made.root, second.url("/other"))
        world(tmp_path, "", is_open=False).source.look()
        assert (first.paths, second.paths) == (["/node.toml"] * 2, [])
        world(tmp_path, "").source.look()
        assert second.paths == ["/other"]


def test_a_document_that_never_came_is_forgotten_with_the_first_decision(tmp_path: Path) -> None:
    """A server that named a URL and had nothing there says nothing later, to a node that is configured."""
    made = world(tmp_path, "")
    name_by_dhcp(made.root, "http://127.0.0.1:1/node.toml")
    assert made.source.look() < IDLE
    closed = world(tmp_path, "", is_open=False)
    assert (closed.source.look(), closed.source.problems) == (IDLE, ())


def test_a_medium_speaks_in_the_place_of_a_dhcp_server(tmp_path: Path) -> None:
    """Who plugs one in means to say what the node shall be; without it all is as before."""
    with server(folder=tmp_path) as served:
        made = world(tmp_path, "")
        name_by_dhcp(made.root, served.url())
        made.source.look()
        (made.root / MEDIUM).write_text('version = 2\n[system]\ntimezone = "UTC"\n')
        assert load_intent(made.root, "").intent.system.hostname == ""
        assert world(tmp_path, "", is_open=False).source.look() == IDLE
        assert len(served.paths) == 1
        (made.root / MEDIUM).unlink()
    assert load_intent(made.root, "").intent.system.hostname == "fetched"


def test_a_reset_forgets_what_a_dhcp_server_named(tmp_path: Path) -> None:
    """The node is open again for whatever a DHCP server says."""
    with server(folder=tmp_path) as served:
        made = world(tmp_path, "")
        name_by_dhcp(made.root, served.url())
        made.source.look()
    ask_for_reset(made.root)
    assert finish_reset(made.root / "var/lib/virtnode")
    assert load_intent(made.root, "").intent.system.hostname == ""
    assert not (made.root / CONFIG_URL).exists()


def test_an_answer_at_the_node_does_not_end_what_was_fetched(tmp_path: Path) -> None:
    """Engine and links are there after a restart that meets no server; leaving the engine is for good."""
    root = tmp_path / "root"
    with server(folder=tmp_path) as served:
        served.body = (
            b'ask = ["system.hostname"]\n[engine]\naddress = "192.0.2.1:7443"\n'
            b'[[network.nic]]\nmatch = {name = "eth0"}\nipv4 = ["192.0.2.5/24"]\n'
        )
        name_by_dhcp(root, served.url())
        with running_agent(tmp_path / "one", root) as running:
            wait_for(lambda: running.client.call(STATUS, Nothing()).asked)
            change = ApplyRequest({"system": {"hostname": "answered"}})
            ticket = running.client.call(CONFIG_APPLY, change).ticket
            running.client.call(CONFIG_CONFIRM, ConfirmRequest(ticket))
    for number, ends in enumerate(("leave", "")):
        shutil.rmtree(root / "run")
        with running_agent(tmp_path / f"again-{number}", root) as running:
            shown = running.client.call(CONFIG_SHOW, Nothing()).document
            assert shown["system"] == {"hostname": "answered"}
            assert shown["network"]["nic"][0]["ipv4"] == ["192.0.2.5/24"]
            assert shown["engine"]["address"] == ("192.0.2.1:7443" if ends else "")
            if ends:
                running.client.call(LEAVE, Nothing())


def test_it_says_what_came_of_it(tmp_path: Path) -> None:
    """Of a URL and of DHCP, at each point: yet to come, tried again, kept from before, used, not given."""
    with server(folder=tmp_path) as served:
        url = served.url()
        made = world(tmp_path, url)
        assert made.source.step == SourceStep(f"URL {url}", SourceState.TRYING, "not fetched yet")
        served.status = 404
        made.source.look()
        assert made.source.step.text == "not fetched, tries again"
        served.status = 200
        made.source.look()
        assert made.source.step.state is SourceState.USED
        served.status = 404
        again = world(tmp_path, url)
        again.source.look()
        assert (again.source.step.state, again.source.step.name) == (SourceState.KEPT, f"URL {url}")
    asks = world(tmp_path / "dhcp", "")
    assert asks.source.step == SourceStep("DHCP", SourceState.TRYING, "not given yet")
    name_by_dhcp(asks.root, "http://127.0.0.1:1/a?secret")
    asks.source.look()
    assert asks.source.step.name == "DHCP, http://127.0.0.1:1/a"
    silent = world(tmp_path / "silent", "")
    for _ in range(LEASE_TRIES):
        silent.source.look()
    assert silent.source.step == SourceStep("DHCP", SourceState.NONE, "not given")
    closed = world(tmp_path / "closed", "", is_open=False)
    closed.source.look()
    assert closed.source.step.text == "not asked"


def test_an_agent_tells_where_its_configuration_comes_from(tmp_path: Path) -> None:
    """What was found at the start, what is fetched, and what is decided, in this order."""
    root = tmp_path / "root"
    (root / "run/virtnode").mkdir(parents=True)
    (root / "proc").mkdir()
    (root / "proc/cmdline").write_text("quiet")
    collect_sources(root)
    with server(folder=tmp_path) as served:
        name_by_dhcp(root, served.url())
        with running_agent(tmp_path / "bus", root) as running:

            def sources() -> list[tuple[str, str]]:
                return [(one.name, one.text) for one in running.client.call(STATUS, Nothing()).sources]

            found = [("embedded", "none"), ("medium VIRTNODE", "none"), (f"DHCP, {served.url()}", "used")]
            wait_for(lambda: sources() == found)
            running.client.call(CONFIG_APPLY, ApplyRequest({"access": {"idle_lock": 60}}))
            wait_for(lambda: sources() == [*found, ("decided here", "used")])
