"""livekit.AgentDispatchService: agents by API.

Source: livekit-server, pkg/service/agent_dispatch_service.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from livekit.protocol import agent_dispatch
from livekit.protocol import room as room_proto

from devserver.agents.worker import deployment_error
from devserver.api.room_service import attributes_size, nobody_answers, require, room_for
from devserver.api.twirp import Method, internal_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from devserver.agents.dispatch import Dispatcher
    from devserver.auth import VerifiedToken
    from devserver.rooms.register import RoomRegister
    from devserver.rooms.room import Room


class AgentDispatchService:
    """The methods of livekit.AgentDispatchService for one server."""

    def __init__(self, register: RoomRegister, dispatcher: Dispatcher) -> None:
        self._register = register
        self._dispatcher = dispatcher

    def methods(self) -> Mapping[str, Method[Any]]:
        """Every method that exists, by name."""
        return {
            "CreateDispatch": Method(
                agent_dispatch.CreateAgentDispatchRequest, self.create_dispatch
            ),
            "ListDispatch": Method(agent_dispatch.ListAgentDispatchRequest, self.list_dispatch),
            "DeleteDispatch": Method(
                agent_dispatch.DeleteAgentDispatchRequest, self.delete_dispatch
            ),
        }

    def create_dispatch(
        self, token: VerifiedToken, request: agent_dispatch.CreateAgentDispatchRequest
    ) -> agent_dispatch.AgentDispatch:
        """Dispatches an agent; creates the room if it does not exist."""
        require(token.can_administer(request.room))
        limits = self._register.context.limits
        if error := deployment_error(request.deployment):
            raise internal_error("invalid_argument", error)
        if len(request.metadata.encode()) > limits.metadata_size:
            raise internal_error("invalid_argument", "metadata size exceeds limits")
        if attributes_size(request.attributes) > limits.attributes_size:
            raise internal_error("invalid_argument", "attribute size exceeds limits")
        room = room_for(self._register, room_proto.CreateRoomRequest(name=request.room))
        if len(room.dispatches) >= limits.dispatches_per_room:
            raise internal_error("resource_exhausted", "as many dispatches as there may be")
        dispatch = agent_dispatch.AgentDispatch(
            agent_name=request.agent_name,
            metadata=request.metadata,
            restart_policy=request.restart_policy,
            deployment=request.deployment,
            attributes=request.attributes,
        )
        self._dispatcher.create(room, dispatch)
        return dispatch

    def list_dispatch(
        self, token: VerifiedToken, request: agent_dispatch.ListAgentDispatchRequest
    ) -> agent_dispatch.ListAgentDispatchResponse:
        """All dispatches of a room, or the one of an id."""
        room = self._room(token, request.room)
        return agent_dispatch.ListAgentDispatchResponse(
            agent_dispatches=[
                dispatch
                for dispatch in room.dispatches.values()
                if request.dispatch_id in ("", dispatch.id)
            ]
        )

    def delete_dispatch(
        self, token: VerifiedToken, request: agent_dispatch.DeleteAgentDispatchRequest
    ) -> agent_dispatch.AgentDispatch:
        """Removes a dispatch; its agents are removed in the background."""
        room = self._room(token, request.room)
        dispatch = self._dispatcher.delete(room, request.dispatch_id)
        if dispatch is None:
            raise internal_error("not_found", "dispatch ID not found")
        return dispatch

    def _room(self, token: VerifiedToken, name: str) -> Room:
        require(token.can_administer(name))
        room = self._register.rooms.get(name)
        if room is None:
            raise nobody_answers()
        return room
