"""A participant's public info, and the limits of its size."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from livekit.protocol import models

from devserver import sid
from devserver.rooms.permission import kind_from_claim, permission_from_grants

if TYPE_CHECKING:
    from collections.abc import Mapping

    from livekit.protocol import rtc

    from devserver.auth import VerifiedToken
    from devserver.limits import Limits
    from devserver.rooms.client import Client


class LimitExceededError(ValueError):
    """A name, metadata or attributes are larger than the server accepts."""


def participant_info(
    token: VerifiedToken, join: rtc.JoinRequest, client: Client
) -> models.ParticipantInfo:
    """Return the info of a new session of the holder of ``token``; its state is JOINING."""
    now = time.time()
    return models.ParticipantInfo(
        sid=sid.new_sid(sid.PARTICIPANT),
        identity=token.identity,
        name=token.claims.name,
        state=models.ParticipantInfo.JOINING,
        metadata=join.metadata,
        attributes=join.participant_attributes,
        permission=permission_from_grants(token.video),
        kind=kind_from_claim(token.claims.kind),
        joined_at=int(now),
        joined_at_ms=int(now * 1000),
        client_protocol=client.client_protocol,
        capabilities=client.capabilities,
    )


def check_limits(limits: Limits, name: str, metadata: str, attributes: Mapping[str, str]) -> None:
    """Raise LimitExceededError if one of the values is too large."""
    if len(name.encode()) > limits.participant_name_length:
        raise LimitExceededError("exceeds name length limit")
    if len(metadata.encode()) > limits.metadata_size:
        raise LimitExceededError("exceeds metadata size limit")
    if sum(len(k.encode()) + len(v.encode()) for k, v in attributes.items()) > (
        limits.attributes_size
    ):
        raise LimitExceededError("exceeds attributes size limit")


def merge_attributes(info: models.ParticipantInfo, attributes: Mapping[str, str]) -> None:
    """Set ``attributes``; those of empty value are removed."""
    for key, value in attributes.items():
        if value:
            info.attributes[key] = value
        else:
            info.attributes.pop(key, None)
