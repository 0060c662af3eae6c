"""The room server's API, and its failures in a sentence."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import aiohttp
from livekit import api

from agent.config.proxies import Proxies
from agent.host.server_api import ServerApi
from agent.sdk import access_tokens

if TYPE_CHECKING:
    from agent.cli.target import Target

TIMEOUT: Final = 5.0
"""Seconds that the server has to answer."""

FAILURES: Final = (api.ServerError, aiohttp.ClientError, OSError, TimeoutError)
"""Exceptions of the API's methods."""


def room_api(target: Target) -> ServerApi:
    """The API of a room server, to be used as a context manager."""
    access_tokens.install()
    return ServerApi(
        target.http_url,
        target.api_key,
        target.api_secret,
        proxy=Proxies.of(os.environ).for_url(target.url),
        timeout=TIMEOUT,
    )


def is_refusal(error: BaseException) -> bool:
    """Whether the server was reached, and does not take the keys."""
    return isinstance(error, api.ServerError) and error.status in {401, 403}


def reason(error: BaseException) -> str:
    """Why it was not done, in words for the terminal."""
    if is_refusal(error):
        return "the server does not take this API key and secret"
    if isinstance(error, api.ServerError):
        return error.message or f"status {error.status}"
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT:g} s"
    return str(error) or type(error).__name__
