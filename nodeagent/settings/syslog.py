"""Copies of the journal for syslog servers: journald hands them to rsyslog, which sends them on."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from nodeagent.changes import Change
from nodeagent.intent import Intent
from nodeagent.services import Services
from nodeagent.settings.setting import Setting, Wanted
from nodeagent.tree_files import ABSENT, TreeFiles, symlink, text_file

UNIT = "rsyslog.service"
INSTALLED = f"usr/lib/systemd/system/{UNIT}"
RULES = "etc/rsyslog.d/50-virtnode.conf"
DROP_IN = f"etc/systemd/system/{UNIT}.d/50-virtnode.conf"
# The distribution's own configuration writes into /var/log, which is memory here: ours is read in its stead.
DROP_IN_TEXT = f"[Service]\nExecStart=\nExecStart=/usr/sbin/rsyslogd -n -iNONE -f /{RULES}\n"
JOURNALD = "etc/systemd/journald.conf.d/50-virtnode.conf"
START = f"etc/systemd/system/multi-user.target.wants/{UNIT}"
# The socket that Debian's unit requires belongs to whoever has this name.
ALIAS = "etc/systemd/system/syslog.service"
SOCKET = "syslog.socket"
SYSLOG_PORT = 514
ACTION = """\
action(type="omfwd" target="{host}" port="{port}" protocol="{protocol}"
       template="RSYSLOG_SyslogProtocol23Format"
       queue.type="LinkedList" queue.size="10000" action.resumeRetryCount="-1")
"""


def wanted(intent: Intent, tree: TreeFiles) -> Iterator[Wanted]:
    """Want rsyslog to send on, and journald to hand over, as long as there are servers."""
    servers = intent.logging.syslog if tree.exists(INSTALLED) else ()
    text = f"syslog to {', '.join(servers)}" if servers else "no syslog server"
    yield Wanted(RULES, text_file(forwarding_rules(servers)) if servers else ABSENT, text)
    yield Wanted(DROP_IN, text_file(DROP_IN_TEXT) if servers else ABSENT)
    yield Wanted(JOURNALD, text_file("[Journal]\nForwardToSyslog=yes\n") if servers else ABSENT)
    yield Wanted(ALIAS, symlink(f"../../../{INSTALLED}") if servers else ABSENT)
    yield Wanted(START, symlink(f"../../../../{INSTALLED}") if servers else ABSENT)


def forwarding_rules(servers: Sequence[str]) -> str:
    """Write rsyslog's configuration: with a queue for each server, for a dead one must hold up nobody."""
    rules = 'module(load="imuxsock")\n'
    for server in servers:
        parts = urlsplit(server)
        rules += ACTION.format(host=parts.hostname, port=parts.port or SYSLOG_PORT, protocol=parts.scheme)
    return rules


def missing(intent: Intent, tree: TreeFiles) -> Iterator[str]:
    """Say that nothing here speaks syslog; systemd itself sends journals to its own kind only."""
    if intent.logging.syslog and not tree.exists(INSTALLED):
        yield "logging.syslog: this image has no rsyslog; add the package to the kickstart"


def act(services: Services, tree: TreeFiles, changes: Sequence[Change]) -> None:
    """Let both read their configuration, and rsyslog run only while it has something to do."""
    services.reload_units()
    services.restart("systemd-journald.service")
    if tree.exists(RULES):
        services.start(UNIT)
    else:
        services.stop(SOCKET)
        services.stop(UNIT)


SETTING = Setting("syslog", wanted, act, missing)
