"""A session of WHIP: its participant's answer in place of a signal connection."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

if TYPE_CHECKING:
    from collections.abc import Callable

    from devserver.rooms.participant import Participant

_SECTION = re.compile(r"^(?=m=)", re.MULTILINE)
_KIND = re.compile(r"^m=(audio|video) ")
_MSID = re.compile(r"^a=msid:\S+ (\S+)", re.MULTILINE)
_RIDS = re.compile(r"^a=simulcast:send (\S+)", re.MULTILINE)
_UFRAG = re.compile(r"^a=ice-ufrag:(\S+)", re.MULTILINE)
_CANDIDATE = re.compile(r"^a=(candidate:.*?)\r?$", re.MULTILINE)
_MAX_LAYERS = 3
_VERSION = re.compile(r"v=0\r?\n")


class MalformedOfferError(ValueError):
    """A client's offer is no session description."""


class FragmentError(ValueError):
    """A client's candidates do not belong to its session."""


class WhipSession:
    """Receives the participant's signal messages: nobody reads anything but the answer."""

    participant: Participant
    """The participant of the session."""

    def __init__(self, forget: Callable[[WhipSession], None]) -> None:
        """``forget`` is called when it is over."""
        self.answer: str | None = None
        """The server's session description, once there is one."""
        self._forget = forget
        self._timer: asyncio.TimerHandle | None = None

    def wait_for_media(self, seconds: float) -> None:
        """End it if its media connection is not up in time."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, self.participant.join_timed_out)

    @property
    def ice_session(self) -> str:
        """The name of the ICE session, which is that of the server's credentials."""
        found = _UFRAG.search(self.answer or "")
        return found[1] if found else ""

    def send(self, response: rtc.SignalResponse) -> None:
        if response.HasField("answer"):
            self.answer = response.answer.sdp

    def close(self) -> None:
        """Ends the session: its participant has left."""
        if self._timer is not None:
            self._timer.cancel()
        self._forget(self)

    def cut(self) -> None:
        """Ends the session: its participant has a signal connection now."""
        self.close()

    def candidates(self, fragment: str) -> list[str]:
        """Return the candidates in a fragment (RFC 8840). Raises FragmentError."""
        if not _UFRAG.search(fragment):
            raise FragmentError("invalid sdp fragment")
        return _CANDIDATE.findall(fragment)


def announced_tracks(offer: str) -> list[rtc.AddTrackRequest]:
    """Return the tracks that an offer publishes.

    As in livekit-server (pkg/rtc/participant.go, synthesizeAddTrackRequests).

    Raises MalformedOfferError.
    """
    if not _VERSION.match(offer):
        raise MalformedOfferError(f"failed to unmarshal SDP: sdp: invalid syntax `{offer[:5]}`")
    tracks: list[rtc.AddTrackRequest] = []
    for number, section in enumerate(_SECTION.split(offer)[1:]):
        kind = _KIND.search(section)
        if kind is None:
            continue
        track_id = _MSID.search(section)
        audio = kind[1] == "audio"
        request = rtc.AddTrackRequest(
            cid=track_id[1] if track_id else f"section {number}",
            name="synthesized-microphone" if audio else "synthesized-camera",
            type=models.AUDIO if audio else models.VIDEO,
            source=models.MICROPHONE if audio else models.CAMERA,
            disable_dtx=True,
            stream="camera",
        )
        if not audio:
            rids = _RIDS.search(section)
            layers = min(len(rids[1].split(";")), _MAX_LAYERS) if rids else 1
            request.layers.extend(
                models.VideoLayer(quality=quality)
                for quality in (models.LOW, models.MEDIUM, models.HIGH)[:layers]
            )
        tracks.append(request)
    return tracks
