"""system: packets of the agent besides its answers; people cannot send it. agent.wire.notices."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from agent.data.packet import Packet
from agent.data.topic import Topic, TopicHandler
from agent.wire.notices import SYSTEM_TOPIC


class SystemContent(BaseModel):
    """A notice; `event` determines the kind and the further fields."""

    model_config = ConfigDict(extra="allow")

    event: str
    text: str = ""


class SystemHandler(TopicHandler[SystemContent]):
    """Handles nothing: only the agent sends it."""

    def take(self, packet: Packet[SystemContent]) -> None:
        raise NotImplementedError


SYSTEM: Final[Topic[Any]] = Topic(
    SYSTEM_TOPIC, content=SystemContent, handler=SystemHandler, sent_by="agent"
)
