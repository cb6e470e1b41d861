"""An engine in this process for tests: a real database, real keys, and a client that needs no socket."""

import asyncio
import base64
import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from xml.etree.ElementTree import Element

import httpx
from defusedxml import ElementTree
from starlette.types import ASGIApp

from engine.accounts import Account, Accounts, Role
from engine.archives import Archives
from engine.events import Actor
from engine.images import Images
from engine.nodes import Identity, Nodes
from engine.passwords import Scrypt
from engine.pki import KeyPair, Pki, make_key_pair
from engine.rest.app import make_app
from engine.rest.metrics import Metric, Metrics, Sample
from engine.rest.services import Services
from engine.rolls import Rolls
from engine.store.database import open_store
from engine.updates import Updates
from nodelib.codec import decode_lenient, encode
from nodelib.errors import Code, VirtnodeError
from nodelib.facts import Cpu, Disk, Facts, Hardware, Memory, Nic, Virtualisation
from nodelib.ladder import Rung, Step, StepState
from nodelib.link import PROTOCOL, ArchivePart, Heartbeat, RegisterRequest, Verb, register_proof
from nodelib.link_update import GET_PACKAGES, PackagesReply

Q = TypeVar("Q")
R = TypeVar("R")
API = "/ovirt-engine/api"
CHEAP = Scrypt(n=16)
"""Passwords in tests are worth nothing, and hashed in no time."""
PASSWORD = "correct horse"
GIB = 1 << 30

FACTS = Facts(
    hostname="rack-1",
    product="virtnode 0.1.0",
    build_id="abc",
    kernel="6.12.0-amd64",
    booted_at=1_700_000_000.0,
    hardware=Hardware("Acme", "Server <9>", "S-1", "11111111-2222-3333-4444-555555555555"),
    cpu=Cpu("Acme CPU & Sons", "Acme", "x86_64", sockets=2, cores=8, threads=16),
    memory=Memory(total_bytes=8 * GIB, available_bytes=6 * GIB),
    nics=(
        Nic("eno1", "physical", "52:54:00:00:00:01", speed_mbps=1000, mtu=1500, link=True, master="bond0"),
        Nic("bond0", "bond", mtu=9000, link=True, addresses=("192.0.2.7/24", "2001:db8::7/64")),
        Nic("bond0.7", "vlan", "52:54:00:00:00:01", mtu=1500),
        Nic("br0", "bridge", "52:54:00:00:00:02", addresses=("nonsense",)),
    ),
    disks=(
        Disk("sda", "/dev/disk/by-path/one", "Acme Disk", "D-1", 100 * GIB, holds=("gpt partition table",)),
        Disk("sdb", "/dev/disk/by-path/two", "Acme Disk", "D-2", 200 * GIB),
    ),
    virtualisation=Virtualisation(kvm=True, libvirt="11.3.0", qemu="10.0.2", guest_cpu="EPYC", iommu=True),
)  # fmt: skip
HEARTBEAT = Heartbeat(
    time=1.0, uptime=3600.5, load=0.25, memory_available_bytes=5 * GIB, guests=3, healthy=True
)


EXTRA_METRIC = Metric("virtnode_extra_total", "counter", "Of a source.", (Sample(7.0, {"of": 'a"b\\'}),))


class Clock:
    """Time that goes by when a test says so."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def xml(self) -> Element:
        """The body as XML."""
        found: Element = ElementTree.fromstring(self.body)
        return found

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self, *path: str | int) -> object:
        """Look up something in the body, as JSON."""
        found = json.loads(self.body)
        for step in path:
            found = found[step]
        return found


class Client:
    """Asks the application without a socket, as a user or as nobody."""

    def __init__(self, app: ASGIApp) -> None:
        self._transport = httpx.ASGITransport(app, client=("192.0.2.99", 5000))
        self._runner = asyncio.Runner()

    def ask(
        self,
        method: str,
        path: str,
        *,
        user: str = "",
        accept: str = "",
        body: bytes = b"",
        content_type: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request and return the answer."""
        sent = dict(headers or {})
        if user:
            sent["Authorization"] = basic(user, PASSWORD)
        if accept:
            sent["Accept"] = accept
        if content_type:
            sent["Content-Type"] = content_type

        async def send() -> Answer:
            async with httpx.AsyncClient(transport=self._transport, base_url="https://engine") as client:
                response = await client.request(method, path, headers=sent, content=body)
                return Answer(response.status_code, response.headers, response.content)

        return self._runner.run(send())

    def close(self) -> None:
        """End its event loop."""
        self._runner.close()


class Links:
    """Stands for the link: remembers what was asked of whom, and has some nodes away."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self.rebooted: list[str] = []
        self.away: set[str] = set()
        self.packages: dict[str, str] = {}

    async def call(self, node: str, verb: Verb[Q, R], request: Q, timeout: float = 10.0) -> R:
        """Answer for a node: what it is made of, if it is there."""
        if node in self.away or verb.name != GET_PACKAGES.name:
            raise VirtnodeError(Code.UNAVAILABLE, "the node is not connected", "try again when it is")
        return decode_lenient(verb.reply, encode(PackagesReply("abc", self.packages)))

    async def reboot(self, node: str, actor: Actor) -> None:
        """Have a node reboot."""
        if node in self.away:
            raise VirtnodeError(Code.UNAVAILABLE, "the node is not connected", "try again when it is")
        self.rebooted.append(node)
        self._nodes.note_reboot(node, actor)


@dataclass(frozen=True)
class TestEngine:
    """An engine without sockets."""

    __test__ = False

    services: Services
    client: Client
    clock: Clock
    accounts: Mapping[Role, Account]
    links: Links
    keys: dict[str, KeyPair] = field(default_factory=dict)

    def ask(self, path: str, *, user: str = "administrator", accept: str = "application/json") -> Answer:
        """Get something below the API."""
        return self.client.ask("GET", API + path, user=user, accept=accept)

    def act(self, path: str, body: str = "<action/>", *, user: str = "administrator") -> Answer:
        """Do something below the API."""
        return self.client.ask(
            "POST", API + path, user=user, body=body.encode(), content_type="application/xml"
        )

    def join(self, name: str, facts: Facts = FACTS) -> str:
        """Have a node ask to be let in; returns its identifier."""
        pair = make_key_pair()
        hardware = dataclasses.replace(facts.hardware, uuid=f"uuid-{name}", serial=f"serial-{name}")
        facts = dataclasses.replace(facts, hostname=name, hardware=hardware)
        ladder = (Rung(Step.LINK, StepState.OK, "eno1 has a carrier", since=5.0),)
        request = RegisterRequest(
            PROTOCOL, pair.make_csr(), pair.sign(register_proof("nonce")), facts, ladder=ladder
        )
        node = self.services.nodes.register(request, "nonce", "192.0.2.7").node
        self.keys[node] = pair
        return node

    def join_up(self, name: str, facts: Facts = FACTS, heartbeat: Heartbeat = HEARTBEAT) -> str:
        """Have a node join and live; returns its identifier."""
        node = self.join(name, facts)
        answer = self.act(f"/hosts/{node}/approve", user="operator")
        assert answer.status == 200, answer.text
        self.services.nodes.connected(Identity(node, self.fingerprint(node)), object())
        self.services.nodes.heartbeat(node, heartbeat)
        self.services.nodes.tick()
        return node

    def send_archive(self, node: str, content: bytes = b"an archive") -> str:
        """Have a node send a support archive; returns the archive's identifier."""
        digest, data = hashlib.sha256(content).hexdigest(), base64.b64encode(content).decode()
        return self.services.archives.take(node, ArchivePart(digest, len(content), 0, data)).identifier

    def fingerprint(self, node: str) -> str:
        """Tell the fingerprint of a node's key."""
        return self.services.nodes.get(node).fingerprint

    def code(self, node: str) -> str:
        """Tell the approval code of a node."""
        return self.services.nodes.get(node).code


def make_engine(folder: Path, database: str = "") -> TestEngine:
    """Make an engine with an account of each role, whose name is the role's."""
    clock = Clock()
    store = open_store(database or f"sqlite:///{folder / 'engine.db'}")
    pki = Pki(folder)
    pki.prepare(clock.now)
    accounts = Accounts(store, clock, cost=CHEAP, steady=clock)
    made = {role: accounts.add(role.value, role, PASSWORD) for role in Role}
    nodes = Nodes(store, pki, clock=clock)
    links = Links(nodes)
    images = Images(folder, store, clock)
    updates = Updates(store, nodes, images, clock)
    services = Services(
        store=store,
        accounts=accounts,
        nodes=nodes,
        link=links,
        archives=Archives(folder, store, clock),
        images=images,
        updates=updates,
        rolls=Rolls(store, nodes, images, updates, clock),
        authority=pki.trust_bundle,
        engine_id="00000000-0000-4000-8000-000000000001",
        version="0.1.0",
        metrics=Metrics([lambda: [EXTRA_METRIC]]),
        clock=clock,
    )
    return TestEngine(services, Client(make_app(services)), clock, made, links)


def basic(name: str, password: str) -> str:
    """Write credentials as HTTP Basic does."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
