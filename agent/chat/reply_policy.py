"""Whether a message in the room is for the agent."""

from __future__ import annotations

import re

from agent.chat.message import IncomingMessage
from agent.settings import ReplyPolicy


class ReplyTest:
    """Decides by policy: `always`; `mention`: the agent is named, or one of its answers is replied
    to; `auto`: always with one person in the room, by mention with several.

    Private messages are always for the agent. A name counts as a word of its own, in any case.
    """

    def __init__(self, policy: ReplyPolicy, names: tuple[str, ...]) -> None:
        self._policy = policy
        words = "|".join(re.escape(name) for name in names if name)
        self._named = re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE)

    def __call__(self, message: IncomingMessage, *, people: int, replied_to_agent: bool) -> bool:
        if message.private or self._policy == "always":
            return True
        if self._policy == "auto" and people <= 1:
            return True
        return replied_to_agent or self._named.search(message.text) is not None
