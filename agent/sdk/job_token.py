"""The token with which the agent joins the room of a job.

livekit-agents 1.8 shows only the claims of a job's token, which it does not verify
(livekit/agents/job.py, `token_claims`). The token itself is in the private `_info`;
tests/agent/sdk/test_job_token.py checks it.
"""

from __future__ import annotations

import logging

import jwt
from livekit import api
from livekit.agents import JobContext

from agent.sdk.access_tokens import signed

logger = logging.getLogger(__name__)


def join_token(job: JobContext) -> str:
    """Returns a fresh token with the claims of the job's own.

    Only claims that are signed with this worker's key are signed again, and only for the job's
    room: otherwise anybody who can pose as the server could get any token from the worker. A token
        that does not verify is returned unchanged; the room server decides.

    AgentServer.run puts the keys into the environment, where TokenVerifier and AccessToken look.
    """
    room = job.job.room.name
    given = job._info.token  # pyright: ignore[reportPrivateUsage]
    return renewed(given, room)


def renewed(given: str, room: str) -> str:
    """Returns the token signed again if it is ours and for this room, else unchanged."""
    try:
        claims = api.TokenVerifier().verify(given)
    except jwt.InvalidTokenError as error:
        reason = type(error).__name__
        logger.warning(
            "job token does not verify with LIVEKIT_API_SECRET (%s), joining with it as it is",
            reason,
            extra={"room": room},
        )
        return given
    if claims.video is None or claims.video.room != room:
        logger.warning(
            "job token is for another room, joining with it as it is", extra={"room": room}
        )
        return given
    token = api.AccessToken()
    token.identity = claims.identity
    token.claims = claims
    return signed(token)
