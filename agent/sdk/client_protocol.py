"""The `client_protocol` of a participant, which the SDK has but does not expose.

livekit-agents reads it at the same place (voice/room_io/_output.py).
tests/agent/sdk/test_client_protocol.py checks that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from livekit import rtc


def client_protocol(participant: rtc.Participant) -> int:
    """The protocol that a participant's client stated when it joined; 0: none."""
    return participant._info.client_protocol  # pyright: ignore[reportPrivateUsage]
