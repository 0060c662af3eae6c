"""Accounting: the accounts of a process and its webhooks, as the settings configure them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agent.accounts.accounts import Accounts
from agent.config.webhook_settings import key_of

if TYPE_CHECKING:
    from agent.accounts.webhooks import Webhooks
    from agent.config.proxies import Proxies
    from agent.config.settings import Settings
    from agent.history.accounts import AccountStore


class Accounting:
    """Opens nothing before `start`; without WEBHOOK_URLS nothing is delivered or imported."""

    def __init__(self, settings: Settings, proxies: Proxies, store: AccountStore) -> None:
        self._webhooks = _webhooks(settings, proxies, store)
        self.accounts = Accounts(
            store,
            urls=settings.webhook_urls,
            types=settings.webhook_events,
            on_stored=None if self._webhooks is None else self._webhooks.wake,
        )

    def start(self) -> None:
        """Begins to deliver stored events. Call it on the rooms' loop."""
        if self._webhooks is not None:
            self._webhooks.start()

    async def aclose(self) -> None:
        """Stores what rooms have reported; the next process delivers the rest.

        At the same time, since each may take five seconds.
        """
        webhooks = () if self._webhooks is None else (self._webhooks.aclose(),)
        await asyncio.gather(self.accounts.aclose(), *webhooks)


def _webhooks(settings: Settings, proxies: Proxies, store: AccountStore) -> Webhooks | None:
    if not settings.webhook_urls or settings.webhook_secret is None:
        return None
    # Only then: most workers have no receiver.
    from agent.accounts.webhooks import Webhooks  # noqa: PLC0415

    return Webhooks(
        store,
        settings.webhook_urls,
        key=key_of(settings.webhook_secret.get_secret_value()),
        proxy_for=proxies.for_url,
    )
