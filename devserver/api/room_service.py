"""livekit.RoomService: a backend's methods for rooms and participants.

Checks, their order and their texts are those of livekit-server (pkg/service/roomservice.go,
roommanager.go and errors.go).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from livekit.protocol import models
from livekit.protocol import room as room_proto

from devserver.api.perform_rpc import perform_rpc
from devserver.api.twirp import Method, TwirpError, argument_error, internal_error
from devserver.auth import PERMISSION_DENIED, VerifiedToken
from devserver.limits import RoomLimitError
from devserver.rooms.participant_info import LimitExceededError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from devserver.rooms.participant import Participant
    from devserver.rooms.register import RoomRegister
    from devserver.rooms.room import Room

_NONCE_SIZE = 16


def no_such_room() -> TwirpError:
    """There is no room of that name."""
    return internal_error("not_found", "requested room does not exist")


def no_such_participant() -> TwirpError:
    """There is no such room, or nobody of that identity in it."""
    return internal_error("not_found", "participant does not exist")


def nobody_answers() -> TwirpError:
    """livekit-server's error when no node answers for the room."""
    return internal_error("unavailable", "no response from servers")


class RoomService:
    """The methods of livekit.RoomService for one server."""

    def __init__(self, register: RoomRegister) -> None:
        self._register = register
        self._limits = register.context.limits

    def methods(self) -> Mapping[str, Method[Any]]:
        """Every method that exists, by name."""
        return {
            "CreateRoom": Method(room_proto.CreateRoomRequest, self.create_room),
            "ListRooms": Method(room_proto.ListRoomsRequest, self.list_rooms),
            "DeleteRoom": Method(room_proto.DeleteRoomRequest, self.delete_room),
            "ListParticipants": Method(room_proto.ListParticipantsRequest, self.list_participants),
            "GetParticipant": Method(room_proto.RoomParticipantIdentity, self.get_participant),
            "RemoveParticipant": Method(
                room_proto.RoomParticipantIdentity, self.remove_participant
            ),
            "MutePublishedTrack": Method(
                room_proto.MuteRoomTrackRequest, self.mute_published_track
            ),
            "UpdateParticipant": Method(
                room_proto.UpdateParticipantRequest, self.update_participant
            ),
            "UpdateSubscriptions": Method(
                room_proto.UpdateSubscriptionsRequest, self.update_subscriptions
            ),
            "SendData": Method(room_proto.SendDataRequest, self.send_data),
            "UpdateRoomMetadata": Method(
                room_proto.UpdateRoomMetadataRequest, self.update_room_metadata
            ),
            "ForwardParticipant": Method(
                room_proto.ForwardParticipantRequest, self.forward_participant
            ),
            "MoveParticipant": Method(room_proto.MoveParticipantRequest, self.move_participant),
            "PerformRpc": Method(room_proto.PerformRpcRequest, self.perform_rpc),
        }

    # --- rooms

    def create_room(
        self, token: VerifiedToken, request: room_proto.CreateRoomRequest
    ) -> models.Room:
        require(token.can_create())
        longest = self._limits.room_name_length
        if len(request.name.encode()) > longest:
            raise internal_error(
                "invalid_argument", f"room name length exceeds limits: max length {longest}"
            )
        self._check_metadata(request.metadata)
        for dispatch in request.agents:
            self._check_metadata(dispatch.metadata)
            self._check_attributes(dispatch.attributes)
        if request.room_preset:
            raise internal_error(
                "invalid_argument", "unknown room configuration in create room request"
            )
        return room_for(self._register, request).info

    def list_rooms(
        self, token: VerifiedToken, request: room_proto.ListRoomsRequest
    ) -> room_proto.ListRoomsResponse:
        require(token.can_list())
        return room_proto.ListRoomsResponse(
            rooms=[
                room.info
                for name, room in self._register.rooms.items()
                if not request.names or name in request.names
            ]
        )

    def delete_room(
        self, token: VerifiedToken, request: room_proto.DeleteRoomRequest
    ) -> room_proto.DeleteRoomResponse:
        require(token.can_create())
        if not self._register.delete(request.room):
            raise no_such_room()
        return room_proto.DeleteRoomResponse()

    def update_room_metadata(
        self, token: VerifiedToken, request: room_proto.UpdateRoomMetadataRequest
    ) -> models.Room:
        self._check_metadata(request.metadata)
        require(token.can_administer(request.room))
        room = self._register.rooms.get(request.room)
        if room is None:
            raise no_such_room()
        room.set_metadata(request.metadata)
        return room.info

    def send_data(
        self, token: VerifiedToken, request: room_proto.SendDataRequest
    ) -> room_proto.SendDataResponse:
        require(token.can_administer(request.room))
        if len(request.nonce) not in (0, _NONCE_SIZE):
            raise TwirpError(
                "invalid_argument",
                f"nonce should be 16-bytes or not present, got: {len(request.nonce)} bytes",
            )
        room = self._register.rooms.get(request.room)
        if room is None:
            raise nobody_answers()
        room.send_data(
            models.DataPacket(
                kind=request.kind,
                destination_identities=request.destination_identities,
                user=models.UserPacket(
                    payload=request.data,
                    destination_sids=request.destination_sids,
                    destination_identities=request.destination_identities,
                    topic=request.topic if request.HasField("topic") else None,
                    nonce=request.nonce,
                ),
            ),
            request.kind,
        )
        return room_proto.SendDataResponse()

    # --- participants

    def list_participants(
        self, token: VerifiedToken, request: room_proto.ListParticipantsRequest
    ) -> room_proto.ListParticipantsResponse:
        require(token.can_administer(request.room))
        room = self._register.rooms.get(request.room)
        participants = room.participants.values() if room is not None else ()
        return room_proto.ListParticipantsResponse(participants=[p.info for p in participants])

    def get_participant(
        self, token: VerifiedToken, request: room_proto.RoomParticipantIdentity
    ) -> models.ParticipantInfo:
        require(token.can_administer(request.room))
        return self._participant(request.room, request.identity, no_such_participant).info

    def remove_participant(
        self, token: VerifiedToken, request: room_proto.RoomParticipantIdentity
    ) -> room_proto.RemoveParticipantResponse:
        require(token.can_administer(request.room))
        self._participant(request.room, request.identity, no_such_participant).remove()
        return room_proto.RemoveParticipantResponse()

    def mute_published_track(
        self, token: VerifiedToken, request: room_proto.MuteRoomTrackRequest
    ) -> room_proto.MuteRoomTrackResponse:
        require(token.can_administer(request.room))
        participant = self._participant(request.room, request.identity, nobody_answers)
        if not request.muted:
            raise internal_error("failed_precondition", "remote unmute not enabled")
        track = participant.mute_track(request.track_sid, muted=True)
        return room_proto.MuteRoomTrackResponse(track=track)

    def update_participant(
        self, token: VerifiedToken, request: room_proto.UpdateParticipantRequest
    ) -> models.ParticipantInfo:
        longest = self._limits.participant_name_length
        if len(request.name.encode()) > longest:
            raise argument_error("name length exceeds limits", str(longest))
        self._check_metadata(request.metadata)
        self._check_attributes(request.attributes)
        require(token.can_administer(request.room))
        participant = self._participant(request.room, request.identity, no_such_participant)
        try:
            participant.update(
                name=request.name,
                metadata=request.metadata,
                attributes=dict(request.attributes),
                permission=request.permission if request.HasField("permission") else None,
            )
        except LimitExceededError as error:
            raise internal_error("invalid_argument", str(error)) from None
        return participant.info

    def update_subscriptions(
        self, token: VerifiedToken, request: room_proto.UpdateSubscriptionsRequest
    ) -> room_proto.UpdateSubscriptionsResponse:
        require(token.can_administer(request.room))
        self._participant(request.room, request.identity, nobody_answers).update_subscriptions(
            request.track_sids, request.participant_tracks, subscribe=request.subscribe
        )
        return room_proto.UpdateSubscriptionsResponse()

    async def perform_rpc(
        self, token: VerifiedToken, request: room_proto.PerformRpcRequest
    ) -> room_proto.PerformRpcResponse:
        require(token.can_administer(request.room))
        if not request.destination_identity:
            raise internal_error("invalid_argument", "destination identity is required")
        self._participant(request.room, request.destination_identity, nobody_answers)
        return await perform_rpc(
            request,
            lambda: self._participant(
                request.room, request.destination_identity, no_such_participant
            ),
        )

    # --- what a single node does not do

    def forward_participant(
        self, token: VerifiedToken, request: room_proto.ForwardParticipantRequest
    ) -> room_proto.ForwardParticipantResponse:
        self._refuse_other_room(token, request)
        raise internal_error("unknown", "not implemented")

    def move_participant(
        self, token: VerifiedToken, request: room_proto.MoveParticipantRequest
    ) -> room_proto.MoveParticipantResponse:
        self._refuse_other_room(token, request)
        raise internal_error("unknown", "not implemented")

    def _refuse_other_room(
        self,
        token: VerifiedToken,
        request: room_proto.ForwardParticipantRequest | room_proto.MoveParticipantRequest,
    ) -> None:
        require(
            token.can_administer(request.room)
            and (token.video.destination_room or "") == request.destination_room
        )
        if request.room == request.destination_room:
            raise argument_error("destination room cannot be the same as source room", "")
        self._participant(request.room, request.identity, nobody_answers)

    def _participant(
        self, room_name: str, identity: str, error: Callable[[], TwirpError]
    ) -> Participant:
        room = self._register.rooms.get(room_name)
        participant = room.participants.get(identity) if room is not None else None
        if participant is None:
            raise error()
        return participant

    def _check_metadata(self, metadata: str) -> None:
        if len(metadata.encode()) > self._limits.metadata_size:
            raise argument_error("metadata size exceeds limits", str(self._limits.metadata_size))

    def _check_attributes(self, attributes: Mapping[str, str]) -> None:
        if attributes_size(attributes) > self._limits.attributes_size:
            raise argument_error("attribute size exceeds limits", str(self._limits.attributes_size))


def room_for(register: RoomRegister, request: room_proto.CreateRoomRequest) -> Room:
    """The room that `request` names, made if need be. Raises TwirpError if there are too many."""
    try:
        room, _ = register.get_or_create(request)
    except RoomLimitError as error:
        raise internal_error("resource_exhausted", str(error)) from None
    return room


def attributes_size(attributes: Mapping[str, str]) -> int:
    """Bytes of all keys and values together."""
    return sum(len(key.encode()) + len(value.encode()) for key, value in attributes.items())


def require(permitted: bool) -> None:  # reads as a sentence
    if not permitted:
        raise TwirpError("unauthenticated", PERMISSION_DENIED)
