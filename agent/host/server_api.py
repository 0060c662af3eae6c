"""ServerApi: the room server's API, through a proxy if there is one."""

from __future__ import annotations

from typing import Final, Self

import aiohttp
from livekit import api

from agent.config.proxies import Proxies
from agent.config.settings import Settings

TIMEOUT: Final = 10.0
"""Seconds that a request may take, as in LiveKitAPI."""


class ServerApi(api.LiveKitAPI):
    """LiveKitAPI with the worker's proxies. Missing arguments come from the environment."""

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        api_secret: str | None = None,
        *,
        proxy: str | None,
        timeout: float = TIMEOUT,
    ) -> None:
        self._own_session = aiohttp.ClientSession(
            proxy=proxy, timeout=aiohttp.ClientTimeout(total=timeout)
        )
        super().__init__(url, api_key, api_secret, session=self._own_session)

    @classmethod
    def of(cls, settings: Settings, proxies: Proxies) -> Self:
        """The API of the worker's room server."""
        secret = settings.livekit_api_secret
        return cls(
            settings.livekit_url,
            settings.livekit_api_key,
            secret.get_secret_value() if secret else None,
            proxy=proxies.for_url(settings.livekit_url or ""),
        )

    async def aclose(self) -> None:
        await super().aclose()
        await self._own_session.close()
