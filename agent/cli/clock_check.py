"""Compares this machine's clock with the room server's, for `doctor`."""

from __future__ import annotations

import os
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

import aiohttp

from agent.cli.finding import Finding
from agent.cli.room_api import TIMEOUT
from agent.config.proxies import Proxies

if TYPE_CHECKING:
    from agent.cli.target import Target

TOLERATED: Final = 30.0
"""Seconds. From a minute on, servers refuse tokens that begin when they are made (`nbf`)."""

ADVICE: Final = (
    "set the clock, for example by NTP: tokens from here or for here may be refused, and a "
    "worker whose clock is hours behind is refused itself"
)


async def check_clock(target: Target) -> Finding | None:
    """The time in the server's `Date` header; None if it answers without one, or not at all."""
    proxy = Proxies.of(os.environ).for_url(target.url)
    began = time.time()
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session,
            session.get(target.http_url, proxy=proxy) as response,
        ):
            # The header has whole seconds.
            there = parsedate_to_datetime(response.headers["Date"]).timestamp() + 0.5
    except (aiohttp.ClientError, OSError, KeyError, ValueError):
        return None
    ahead = (began + time.time()) / 2 - there
    if abs(ahead) <= TOLERATED:
        return Finding("clock", ok=True, text="agrees with the room server's")
    where = "ahead of" if ahead > 0 else "behind"
    text = f"{abs(ahead):.0f} s {where} the room server's"
    return Finding("clock", ok=False, text=text, advice=ADVICE, needed=False)
