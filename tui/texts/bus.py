"""Texts about the agent, where it does not answer on the bus."""

TEXTS = {
    "bus.denied": "you may not talk to the agent",
    "bus.denied_hint": "become a member of the group virtnode",
    "bus.slow": "it takes too long",
    "bus.slow_hint": "the node may be busy; the agent's journal may say why",
    "bus.absent": "it is not running",
    "bus.absent_hint": "its journal may say why",
    "bus.no_method": "the agent knows no such method",
    "bus.no_method_hint": "it is older than this console: restart the node",
    "bus.failed": "the bus says: {text}",
    "bus.failed_hint": "the journal of virtnode-agent may say more",
}
