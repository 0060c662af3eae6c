"""Whether a message in the room is for the agent."""

from __future__ import annotations

from agent.config.setting_types import ReplyPolicy
from agent.inbox.mention import Names
from agent.inbox.message import IncomingMessage
from agent.inbox.own_answers import OwnAnswers
from agent.inbox.people import People


class ReplyTest:
    """Decides by policy: `always`; `mention`: the agent is named, or one of its answers is replied
    to; `auto`: always with one person in the room, by mention with several.

    Private messages are always for the agent.
    """

    def __init__(
        self,
        policy: ReplyPolicy,
        names: tuple[str, ...],
        people: People,
        own_answers: OwnAnswers,
    ) -> None:
        self._policy = policy
        self._people = people
        self._own_answers = own_answers
        self._names = Names(names)

    def __call__(self, message: IncomingMessage) -> bool:
        if message.private or self._policy == "always":
            return True
        if self._policy == "auto" and self._people.count_with(message.sender.identity) <= 1:
            return True
        if message.reply_to in self._own_answers:
            return True
        return self._names.are_in(message.text)
