"""A client's requests for data tracks and data blobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from livekit.protocol import rtc

if TYPE_CHECKING:
    from devserver.rooms.participant import Participant


def handle(participant: Participant, request: rtc.SignalRequest) -> None:
    """Handle ``request``."""
    if request.HasField("publish_data_track_request"):
        participant.data_tracks.publish(request.publish_data_track_request)
    elif request.HasField("unpublish_data_track_request"):
        participant.data_tracks.unpublish(request.unpublish_data_track_request)
    elif request.HasField("update_data_subscription"):
        participant.data_tracks.update(request.update_data_subscription)
    else:
        _refuse_data_blob(participant, request)


def _refuse_data_blob(participant: Participant, request: rtc.SignalRequest) -> None:
    """Answer as a server that keeps no data blobs, as livekit-server does unless configured to."""
    reasons = rtc.RequestResponse
    if request.HasField("store_data_blob_request"):
        request_id = request.store_data_blob_request.request_id
        reason, message = reasons.NOT_ALLOWED, "data blob not enabled"
    else:
        wanted = request.get_data_blob_request
        request_id = wanted.request_id
        if not wanted.HasField("key"):
            reason, message = reasons.INVALID_REQUEST, "data blob key is required"
        elif wanted.participant_identity not in participant.room.participants:
            reason, message = reasons.NOT_FOUND, "participant not found"
        else:
            reason, message = reasons.NOT_FOUND, "data blob not found"
    response = rtc.RequestResponse(request_id=request_id, reason=reason, message=message)
    participant.send(rtc.SignalResponse(request_response=response))
