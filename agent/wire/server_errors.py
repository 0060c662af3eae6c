"""Exceptions of requests to the room server's API that got no usable answer."""

from __future__ import annotations

from typing import Final

import aiohttp
from livekit import api

UNAVAILABLE: Final = (api.TwirpError, aiohttp.ClientError, TimeoutError)
"""The server refused, could not be reached, or did not answer in time."""
