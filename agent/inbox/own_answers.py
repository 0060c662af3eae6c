"""OwnAnswers: recognises the agent's own messages, and so replies to them."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import OrderedDict

from agent.history.errors import HistoryError
from agent.history.history import History
from agent.inbox.message import IncomingMessage

logger = logging.getLogger(__name__)

MAX_REMEMBERED = 1_000
"""Ids of answers that are remembered without asking the store."""

LOOKUP_TIMEOUT = 2.0

_FORM = re.compile(r"SG_[0-9a-f]{16}")
"""Form of this agent's segment ids (agent.chat.conversation_store); other agents use others."""


class OwnAnswers:
    """The ids of the agent's answers in a room: those of this stay, and those of earlier ones.

    The latter are in the store. If the store is unavailable, an id of the agent's own form counts
    as one.
    """

    def __init__(self, history: History, room: str, agent: str) -> None:
        self._history = history
        self._room = room
        self._agent = agent
        self._ids: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, message_id: object) -> bool:
        """Whether it is known to be one: an earlier stay's only once it was looked up."""
        return message_id in self._ids

    def add(self, segment_id: str) -> None:
        self._ids[segment_id] = None
        if len(self._ids) > MAX_REMEMBERED:
            self._ids.popitem(last=False)

    async def look_up(self, message: IncomingMessage) -> None:
        """Finds out whether a message replies to one of an earlier stay."""
        replied_to = message.reply_to
        if replied_to is None or replied_to in self or not _FORM.fullmatch(replied_to):
            return
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT):
                found = await self._history.find(
                    self._room, replied_to, asker=message.sender.identity
                )
        except (HistoryError, TimeoutError) as error:
            logger.warning(
                "history lookup failed; treating the reply as one to the agent: %s",
                type(error).__name__,
            )
            self.add(replied_to)
            return
        if any(each.role == "assistant" and each.sender_id == self._agent for each in found):
            self.add(replied_to)
