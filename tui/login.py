"""The way from a line's own console to the system's login prompt, and back."""

from nodelib.bus_access import ACCESS
from nodelib.link import Nothing
from tui.dialogue import Dialogue
from tui.texts import say

LOGIN_WANTED = 10
"""The exit status upon which virtnode-console-line starts a login prompt in the console's place."""


async def wants_login(dialogue: Dialogue) -> bool:
    """Say how to come back and ask whether to leave; where nobody could log in, say that instead."""
    access = await dialogue.ask(ACCESS, Nothing())
    if not access.password_set:
        await dialogue.tell(say("login.nobody"), say("login.nobody_hint"), title=say("frame.login"))
        return False
    text = say("login.text", account=access.account)
    return await dialogue.confirm(say("login.question"), text, yes=say("frame.login"))
