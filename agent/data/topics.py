"""TOPICS: the topics of data packets in a room. docs/data.md says how to add one."""

from __future__ import annotations

from typing import Any, Final

from agent.data.chat import CHAT
from agent.data.cursor import CURSOR
from agent.data.reactions import REACTIONS
from agent.data.system import SYSTEM
from agent.data.topic import Topic
from agent.data.whiteboard import WHITEBOARD

TOPICS: Final[tuple[Topic[Any], ...]] = (CHAT, REACTIONS, CURSOR, WHITEBOARD, SYSTEM)
