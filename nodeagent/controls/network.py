"""The verbs of virtnodectl about the network."""

import argparse

from nodeagent.controls.terminal import Terminal, Verbs, add_verb
from nodeagent.intent_state import write_toml
from nodelib.bus_network import (
    BLINK,
    LEASE,
    PROBE,
    BlinkRequest,
    LeaseRequest,
    Probe,
    ProbeReply,
    ProbeRequest,
)
from nodelib.errors import Code, VirtnodeError


def add_network_verbs(verbs: Verbs) -> None:
    """Describe the verbs."""
    probe = add_verb(verbs, "probe", run_probe, "test gateway, DNS, engine or a host")
    probe.add_argument("probe", choices=[one.value for one in Probe], help="what to test")
    probe.add_argument("target", nargs="?", default="", help="the host, or the name to look up")
    blink = add_verb(verbs, "blink", run_blink, "let a network port's light blink")
    blink.add_argument("nic", help="the port, as the facts name it")
    blink.add_argument("--seconds", type=int, default=10, help="for how long (default: 10)")
    lease = add_verb(verbs, "lease", run_lease, "print the patch that keeps a link's DHCP lease for good")
    lease.add_argument("nic", help="the link that has the lease")


def run_probe(found: argparse.Namespace, terminal: Terminal) -> None:
    """Test something; a test that fails is a failure."""
    say_probe(terminal.client.call(PROBE, ProbeRequest(Probe(found.probe), found.target)), terminal)


def say_probe(reply: ProbeReply, terminal: Terminal) -> None:
    """Print what a test found; raises VirtnodeError (failed) where it was not good."""
    if not reply.ok:
        raise VirtnodeError(Code.FAILED, reply.text, reply.hint)
    took = "" if reply.milliseconds is None else f" ({reply.milliseconds:g} ms)"
    terminal.say(f"{reply.text}{took}")
    if reply.hint:
        terminal.say(f"  hint: {reply.hint}")


def run_blink(found: argparse.Namespace, terminal: Terminal) -> None:
    """Let a light blink."""
    terminal.client.call(BLINK, BlinkRequest(found.nic, found.seconds))
    terminal.say(f"{found.nic} blinks for {found.seconds} s")


def run_lease(found: argparse.Namespace, terminal: Terminal) -> None:
    """Print the patch, and what it would do."""
    reply = terminal.client.call(LEASE, LeaseRequest(found.nic))
    terminal.write("".join(f"# {change}\n" for change in reply.changes) + write_toml(reply.patch))
