"""Handles the requests of a client on its signal connection."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from devserver.rooms.participant_info import LimitExceededError
from devserver.rooms.permission import may_publish
from devserver.rooms.resumption import synchronize
from devserver.signalling import data_requests

if TYPE_CHECKING:
    from devserver.rooms.participant import Participant

log = logging.getLogger("devserver.signal")

_LEAVE_REASONS = (
    models.DisconnectReason.USER_UNAVAILABLE,
    models.DisconnectReason.USER_REJECTED,
    models.DisconnectReason.AGENT_ERROR,
)


async def handle(participant: Participant, request: rtc.SignalRequest) -> None:
    """Handle ``request``; one of an unknown kind is ignored."""
    match request.WhichOneof("message"):
        case "offer" | "answer" | "trickle":
            await _negotiate(participant, request)
        case "add_track":
            add_track(participant, request.add_track)
        case "mute":
            _mute(participant, request.mute)
        case "subscription" | "track_setting" | "subscription_permission":
            _change_subscriptions(participant, request)
        case "sync_state":
            synchronize(participant, request.sync_state)
        case "update_metadata":
            _update_metadata(participant, request.update_metadata)
        case "simulate":
            _simulate(participant, request.simulate)
        case (
            "publish_data_track_request"
            | "unpublish_data_track_request"
            | "update_data_subscription"
            | "store_data_blob_request"
            | "get_data_blob_request"
        ):
            data_requests.handle(participant, request)
        case "update_audio_track" | "update_video_track":
            _update_track(participant, request)
        case "leave":
            _leave(participant, request.leave)
        case "ping" | "ping_req":
            _answer_ping(participant, request)
        case kind:
            log.debug("ignored a signal request: %s", kind)


async def _negotiate(participant: Participant, request: rtc.SignalRequest) -> None:
    if request.HasField("offer"):
        await offer(participant, request.offer)
    elif request.HasField("answer"):
        await participant.connection.accept(request.answer)
    else:
        await _trickle(participant, request.trickle)


async def offer(participant: Participant, description: rtc.SessionDescription) -> None:
    """Answer an offer; anything but a session description is ignored, as by livekit-server."""
    if not description.sdp.startswith("v="):
        log.warning("%s offered no session description", participant.identity)
        return
    await participant.connection.answer(description)


async def _trickle(participant: Participant, request: rtc.TrickleRequest) -> None:
    try:
        candidate = json.loads(request.candidateInit).get("candidate", "")
    except (ValueError, AttributeError) as error:
        _respond(
            participant,
            rtc.RequestResponse(
                reason=rtc.RequestResponse.UNCLASSIFIED_ERROR, message=str(error), trickle=request
            ),
        )
        return
    await participant.connection.add_candidate(str(candidate), request.target)


def add_track(participant: Participant, request: rtc.AddTrackRequest) -> None:
    """Announce a track, if the participant may publish it."""
    reason: rtc.RequestResponse.Reason | None = None
    if not may_publish(participant.permission, request.source):
        reason = rtc.RequestResponse.NOT_ALLOWED
    elif request.type not in (models.AUDIO, models.VIDEO):
        reason = rtc.RequestResponse.UNSUPPORTED_TYPE
    elif request.sid and request.sid not in participant.publications:
        reason = rtc.RequestResponse.NOT_FOUND
    elif participant.publications.announced >= participant.context.limits.tracks_per_participant:
        reason = rtc.RequestResponse.LIMIT_EXCEEDED
    if reason is not None:
        _respond(participant, rtc.RequestResponse(reason=reason, add_track=request))
        return
    if not participant.publications.add(request):
        queued = rtc.RequestResponse(reason=rtc.RequestResponse.QUEUED, add_track=request)
        _respond(participant, queued)


def _change_subscriptions(participant: Participant, request: rtc.SignalRequest) -> None:
    if request.HasField("subscription"):
        participant.update_subscriptions(
            request.subscription.track_sids,
            request.subscription.participant_tracks,
            subscribe=request.subscription.subscribe,
        )
    elif request.HasField("track_setting"):
        participant.subscriptions.adapt(request.track_setting)
        participant.connection.apply_settings()
    else:
        participant.publications.permit(request.subscription_permission)


def _update_track(participant: Participant, request: rtc.SignalRequest) -> None:
    response = rtc.RequestResponse(reason=rtc.RequestResponse.NOT_FOUND)
    if request.HasField("update_audio_track"):
        response.update_audio_track.CopyFrom(request.update_audio_track)
        found = participant.publications.update_audio(request.update_audio_track)
    else:
        response.update_video_track.CopyFrom(request.update_video_track)
        found = participant.publications.update_video(request.update_video_track)
    if not found:
        _respond(participant, response)


def _simulate(participant: Participant, request: rtc.SimulateScenario) -> None:
    """Simulate a failure that the client requests for a test (pkg/rtc/room.go)."""
    match request.WhichOneof("scenario"):
        case "node_failure":
            participant.drop(models.DisconnectReason.SERVER_SHUTDOWN)
        case "migration":
            participant.drop(models.DisconnectReason.MIGRATION)
        case "server_leave":
            participant.remove(models.DisconnectReason.SERVER_SHUTDOWN)
        case "subscriber_bandwidth":
            participant.connection.simulate_capacity(request.subscriber_bandwidth)
        case kind:
            log.debug("ignored a request to simulate: %s", kind)


def _leave(participant: Participant, request: rtc.LeaveRequest) -> None:
    reason = request.reason
    participant.remove(
        reason if reason in _LEAVE_REASONS else models.DisconnectReason.CLIENT_INITIATED
    )


def _answer_ping(participant: Participant, request: rtc.SignalRequest) -> None:
    now_ms = int(time.time() * 1000)
    if request.HasField("ping"):
        participant.send(rtc.SignalResponse(pong=now_ms))
        return
    pong = rtc.Pong(last_ping_timestamp=request.ping_req.timestamp, timestamp=now_ms)
    participant.send(rtc.SignalResponse(pong_resp=pong))


def _mute(participant: Participant, request: rtc.MuteTrackRequest) -> None:
    if participant.publications.mute(request.sid, muted=request.muted) is None:
        _respond(
            participant,
            rtc.RequestResponse(reason=rtc.RequestResponse.NOT_FOUND, mute=request),
        )


def _update_metadata(participant: Participant, request: rtc.UpdateParticipantMetadata) -> None:
    response = rtc.RequestResponse(request_id=request.request_id, update_metadata=request)
    if not participant.permission.can_update_metadata:
        response.reason = rtc.RequestResponse.NOT_ALLOWED
        response.message = "does not have permission to update own metadata"
    else:
        try:
            participant.update(
                name=request.name, metadata=request.metadata, attributes=request.attributes
            )
        except LimitExceededError as error:
            response.reason = rtc.RequestResponse.LIMIT_EXCEEDED
            response.message = str(error)
    _respond(participant, response)


def _respond(participant: Participant, response: rtc.RequestResponse) -> None:
    participant.send(rtc.SignalResponse(request_response=response))
