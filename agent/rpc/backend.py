"""Backend: recognises the app's backend among the callers in a room."""

from __future__ import annotations

import logging

from livekit import api

from agent.config.settings import Settings
from agent.rpc.permissions import Backends
from toolkit.caller import Caller
from toolkit.errors import NotAllowed

logger = logging.getLogger(__name__)


class Backend:
    """Recognises callers with an access token that administers the room, or with the role `backend`
    in their own token.

    That a call came by RoomService.PerformRpc is no proof. livekit-server makes it in the name of a
    new UUID, which is the call's id as well (pkg/rtc/participant.go, PerformRpc). Into all other
    calls it puts their sender's own identity (handleReceivedDataMessage). But a participant with a
    UUID as identity, who also uses it as the id of a call, looks the same to an agent that does not
    know yet that they have joined, or left.

    Args:
        room: the room's name.
    """

    def __init__(self, settings: Settings, room: str) -> None:
        self._settings = settings
        self._room = room

    def signed(self, token: str) -> bool:
        """Whether a token was signed with the API secret, and administers this room."""
        key, secret = self._settings.livekit_api_key, self._settings.livekit_api_secret
        if key is None or secret is None:
            return False
        try:
            claims = api.TokenVerifier(key, secret.get_secret_value()).verify(token)
        except Exception as error:
            # The boundary of input from a caller: a JWT can fail in many ways, and each is a
            # refusal.
            logger.info("token of the backend refused: %s", type(error).__name__)
            return False
        video = claims.video
        return video is not None and bool(video.room_admin) and video.room == self._room

    def is_proven(self, caller: Caller | None, token: str | None) -> bool:
        """Whether a call is the backend's. Raises NotAllowed if its token is not valid."""
        if token is None:
            return caller is not None and Backends(caller)
        if not self.signed(token):
            raise NotAllowed("The token is not valid for this room")
        return True

    def check(self, caller: Caller | None, token: str | None) -> None:
        """Raises NotAllowed unless a call is the backend's."""
        if not self.is_proven(caller, token):
            raise NotAllowed("This takes the role backend, or the backend's token")
