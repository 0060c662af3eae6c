"""Resumption: a participant continues with a new signal connection while its media connection is
up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

if TYPE_CHECKING:
    from devserver.rooms.participant import Participant
    from devserver.rooms.signal import Signal


def resume(participant: Participant, signal: Signal) -> None:
    """Replace the signal connection, and send the client everything that it may have missed.

    As in livekit-server (pkg/rtc/room.go, ResumeParticipant).
    """
    participant.signal.cut()
    participant.signal = signal
    participant.send(
        rtc.SignalResponse(
            reconnect=rtc.ReconnectResponse(
                server_info=participant.context.info,
                last_message_seq=participant.last_sequence,
            )
        )
    )
    everyone = [
        other.info
        for other in participant.room.participants.values()
        if other is participant or not other.permission.hidden
    ]
    participant.send(rtc.SignalResponse(update=rtc.ParticipantUpdate(participants=everyone)))
    participant.send(rtc.SignalResponse(room_update=rtc.RoomUpdate(room=participant.room.info)))
    participant.send_token()
    participant.connection.resume()


def synchronize(participant: Participant, state: rtc.SyncState) -> None:
    """Apply the state of a resuming client; one that has other tracks has to join again."""
    tracks = [published.track.sid for published in state.publish_tracks]
    data_tracks = [published.info.sid for published in state.publish_data_tracks]
    known = all(sid in participant.publications for sid in tracks)
    if not known or not all(sid in participant.data_tracks for sid in data_tracks):
        participant.remove(
            models.DisconnectReason.STATE_MISMATCH, action=rtc.LeaveRequest.RECONNECT
        )
        return
    participant.subscriptions.pause(state.track_sids_disabled)
    participant.connection.apply_settings()
    participant.update_subscriptions(
        state.subscription.track_sids,
        state.subscription.participant_tracks,
        subscribe=state.subscription.subscribe,
    )
