"""The conversation of a stay in a room."""

from __future__ import annotations

import logging

from agent.config.setting_types import ConversationPolicy
from agent.history import conversation_name
from agent.room.room_assignment import RoomAssignment
from agent.room.room_profile import RoomProfile

logger = logging.getLogger(__name__)


def conversation_of(
    policy: ConversationPolicy, assignment: RoomAssignment, profile: RoomProfile
) -> str:
    """The name under which the history stores the room's messages."""
    if policy == "room-name":
        return conversation_name.of_room_name(assignment.room)
    if policy == "metadata":
        if profile.conversation is not None:
            return conversation_name.of_id(profile.conversation)
        logger.info(
            "dispatch metadata names no conversation; it ends with the session of the room",
            extra={"room": assignment.room},
        )
    return conversation_name.of_session(assignment.room, assignment.sid)
