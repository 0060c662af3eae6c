"""Converts a token's grants to LiveKit's ParticipantPermission, and back."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from livekit.protocol import models

if TYPE_CHECKING:
    from livekit import api

_KINDS = {
    "ingress": models.ParticipantInfo.INGRESS,
    "egress": models.ParticipantInfo.EGRESS,
    "sip": models.ParticipantInfo.SIP,
    "agent": models.ParticipantInfo.AGENT,
    "connector": models.ParticipantInfo.CONNECTOR,
    "bridge": models.ParticipantInfo.BRIDGE,
}
_SOURCES = {
    "camera": models.TrackSource.CAMERA,
    "microphone": models.TrackSource.MICROPHONE,
    "screen_share": models.TrackSource.SCREEN_SHARE,
    "screen_share_audio": models.TrackSource.SCREEN_SHARE_AUDIO,
}


def kind_from_claim(kind: str | None) -> models.ParticipantInfo.Kind:
    """Return the participant kind that a token's ``kind`` names (protocol/auth/utils.go)."""
    return _KINDS.get(kind or "", models.ParticipantInfo.STANDARD)


def is_dependent(
    kind: models.ParticipantInfo.Kind, permission: models.ParticipantPermission
) -> bool:
    """Whether a participant only serves others: it neither counts nor keeps a room open."""
    return (
        kind in (models.ParticipantInfo.AGENT, models.ParticipantInfo.EGRESS)
        or permission.agent
        or permission.recorder
    )


def permission_from_grants(video: api.VideoGrants) -> models.ParticipantPermission:
    """Return what ``video`` permits (protocol/auth/grants.go, ToPermission)."""
    return models.ParticipantPermission(
        can_publish=video.can_publish,
        can_subscribe=video.can_subscribe,
        can_publish_data=video.can_publish_data,
        can_publish_sources=[_source(name) for name in video.can_publish_sources or ()],
        can_update_metadata=bool(video.can_update_own_metadata),
        hidden=bool(video.hidden),
        recorder=bool(video.recorder),
        agent=bool(video.agent),
        can_subscribe_metrics=bool(video.can_subscribe_metrics),
        can_manage_agent_session=bool(video.can_manage_agent_session),
    )


def _source(name: str) -> models.TrackSource:
    return _SOURCES.get(name, models.TrackSource.UNKNOWN)


def grants_with_permission(
    video: api.VideoGrants, permission: models.ParticipantPermission
) -> api.VideoGrants:
    """Return ``video`` with the grants of ``permission`` (protocol/auth/grants.go)."""
    return dataclasses.replace(
        video,
        can_publish=permission.can_publish,
        can_subscribe=permission.can_subscribe,
        can_publish_data=permission.can_publish_data,
        can_publish_sources=[
            models.TrackSource.Name(source).lower() for source in permission.can_publish_sources
        ],
        can_update_own_metadata=permission.can_update_metadata,
        hidden=permission.hidden,
        recorder=permission.recorder,
        agent=permission.agent,
        can_subscribe_metrics=permission.can_subscribe_metrics,
        can_manage_agent_session=permission.can_manage_agent_session,
    )


def may_publish(permission: models.ParticipantPermission, source: models.TrackSource) -> bool:
    """Whether a track of ``source`` may be published; no listed source means any."""
    return permission.can_publish and (
        not permission.can_publish_sources or source in permission.can_publish_sources
    )
