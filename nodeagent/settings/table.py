"""Every kind of setting, in the order in which they are applied: the network last, for it may cut us off."""

from collections.abc import Sequence

from nodeagent.changes import Change
from nodeagent.intent import Intent
from nodeagent.network.setting import SETTING as NETWORK
from nodeagent.services import Services
from nodeagent.settings.dns import SETTING as DNS
from nodeagent.settings.firewall import SETTING as FIREWALL
from nodeagent.settings.hostname import SETTING as HOSTNAME
from nodeagent.settings.hosts import SETTING as HOSTS
from nodeagent.settings.initiator import SETTING as INITIATOR
from nodeagent.settings.keymap import SETTING as KEYMAP
from nodeagent.settings.ntp import SETTING as NTP
from nodeagent.settings.password import SETTING as PASSWORD
from nodeagent.settings.setting import Setting, plan_setting
from nodeagent.settings.ssh import SETTING as SSH
from nodeagent.settings.syslog import SETTING as SYSLOG
from nodeagent.settings.timezone import SETTING as TIMEZONE
from nodeagent.tree_files import TreeFiles

SETTINGS: tuple[Setting, ...] = (
    HOSTNAME,
    HOSTS,
    TIMEZONE,
    KEYMAP,
    DNS,
    NTP,
    SYSLOG,
    FIREWALL,
    PASSWORD,
    SSH,
    INITIATOR,
    NETWORK,
)


def plan_changes(intent: Intent, tree: TreeFiles) -> tuple[Change, ...]:
    """Compare everything that an intent wants with what is there."""
    return tuple(change for setting in SETTINGS for change in plan_setting(setting, intent, tree))


def act_on(services: Services, tree: TreeFiles, changes: Sequence[Change]) -> None:
    """Let the system take notice of changes that are written, each kind at once and in order."""
    for setting in SETTINGS:
        mine = [change for change in changes if change.kind == setting.kind]
        if mine:
            setting.act(services, tree, mine)


def told(changes: Sequence[Change]) -> tuple[Change, ...]:
    """Leave out what is only a companion of another change."""
    return tuple(change for change in changes if change.text)
