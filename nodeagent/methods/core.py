"""The methods about the node, its configuration and its engine."""

import functools

from nodeagent.agent import Agent
from nodeagent.bus_service import Method
from nodeagent.guard import Caller
from nodelib.bus import (
    CONFIG_APPLY,
    CONFIG_CHECK,
    CONFIG_CONFIRM,
    CONFIG_PLAN,
    CONFIG_REVERT,
    CONFIG_SHOW,
    FACTS,
    JOIN,
    LADDER,
    LEAVE,
    NEW_KEY,
    STATUS,
    SUPPORT,
    LadderReply,
)
from nodelib.link import ApplyReply, ApplyRequest


def core_methods(agent: Agent) -> tuple[Method, ...]:
    """Lay out all methods; those that take time are done one after the other, away from the main loop."""
    config, deeds = agent.configuration, agent.deeds
    return (
        Method(STATUS, lambda request, actor: agent.status()),
        Method(FACTS, lambda request, actor: agent.lookout.facts),
        Method(LADDER, lambda request, actor: LadderReply(agent.lookout.ladder)),
        Method(CONFIG_SHOW, lambda request, actor: config.show()),
        Method(CONFIG_CHECK, lambda request, actor: config.check(request.text)),
        Method(CONFIG_PLAN, lambda request, actor: config.plan(request.patch), deeds),
        Method(CONFIG_APPLY, executor=deeds, for_caller=functools.partial(apply_config, agent)),
        Method(CONFIG_CONFIRM, lambda request, actor: config.confirm(request.ticket, actor), deeds),
        Method(CONFIG_REVERT, lambda request, actor: config.revert(request.ticket, actor), deeds),
        Method(JOIN, lambda request, actor: agent.enrolment.join(request, actor), deeds),
        Method(LEAVE, lambda request, actor: agent.enrolment.leave(actor), deeds),
        Method(NEW_KEY, lambda request, actor: agent.enrolment.renew_key(actor), deeds),
        Method(SUPPORT, agent.write_support, deeds),
    )


def apply_config(agent: Agent, request: ApplyRequest, caller: Caller) -> ApplyReply:
    """Apply a change; its caller may end the countdown, whatever locks meanwhile."""
    reply = agent.configuration.apply(request.patch, request.window, caller.name)
    agent.guard.note_applied(caller.connection, reply.ticket)
    return reply
