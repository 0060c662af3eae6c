"""ProcessLimits: the limits of one worker process, and of the rooms in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from weakref import WeakValueDictionary

from agent.config.limit_settings import LimitSettings
from agent.history.token_usage import TokenCount, TokenUsage
from agent.limits.counters import Counters, Kind, Scope
from agent.limits.gauge import Gauge, Level
from agent.limits.rates import Rates
from agent.limits.room_limits import RoomLimits
from agent.limits.token_budgets import TokenBudgets

TOO_MANY_ANSWERS: Final = "Too many people are being answered at the moment."
TOO_MANY_PRIVATE: Final = "Too many private conversations are open at the moment."


class ProcessLimits:
    """Limits that all rooms of a process share.

    Attributes:
        counters: uses and refusals; thread-safe to read.
    """

    def __init__(self, settings: LimitSettings, usage: TokenUsage) -> None:
        self._settings = settings
        self.counters = Counters()
        self._rates = Rates(_rates(settings), self.counters)
        self._budgets = TokenBudgets(_tokens(settings), usage, self.counters)
        # These never refuse anything: they are for reading.
        self._answers = Level(0, "tenant")
        self._private = Level(0, "tenant")
        self._tenants: WeakValueDictionary[tuple[Kind, str], Level] = WeakValueDictionary()
        self.counters.watch("answers", lambda: self._answers.count)
        self.counters.watch("private_conversations", lambda: self._private.count)

    def room(self, name: str, tenant: str = "") -> RoomLimits:
        """The limits of a room; `tenant` may be empty."""
        settings = self._settings
        return RoomLimits(
            name,
            tenant,
            rates=self._rates,
            budgets=self._budgets,
            counters=self.counters,
            answers=Gauge(
                "answers",
                TOO_MANY_ANSWERS,
                [
                    Level(settings.room_answers, "room"),
                    self._of_tenant("answers", tenant, settings.tenant_answers),
                    self._answers,
                ],
                self.counters,
            ),
            private_conversations=Gauge(
                "private_conversations",
                TOO_MANY_PRIVATE,
                [
                    Level(settings.room_private_conversations, "room"),
                    self._of_tenant(
                        "private_conversations", tenant, settings.tenant_private_conversations
                    ),
                    self._private,
                ],
                self.counters,
            ),
        )

    async def aclose(self) -> None:
        """Writes the last counts."""
        await self._budgets.aclose()

    def _of_tenant(self, kind: Kind, tenant: str, limit: int) -> Level:
        if not tenant:
            return Level(0, "tenant")
        level = self._tenants.get((kind, tenant))
        if level is None:
            level = self._tenants[kind, tenant] = Level(limit, "tenant")
        return level


def _rates(settings: LimitSettings) -> Mapping[tuple[Kind, Scope], str]:
    return {
        ("messages", "participant"): settings.participant_messages,
        ("messages", "room"): settings.room_messages,
        ("messages", "tenant"): settings.tenant_messages,
        ("rpc_calls", "participant"): settings.participant_rpc_calls,
        ("rpc_calls", "room"): settings.room_rpc_calls,
        ("rpc_calls", "tenant"): settings.tenant_rpc_calls,
        ("tool_calls", "participant"): settings.participant_tool_calls,
        ("tool_calls", "room"): settings.room_tool_calls,
        ("tool_calls", "tenant"): settings.tenant_tool_calls,
        ("bytes", "participant"): settings.participant_bytes,
        ("bytes", "room"): settings.room_bytes,
        ("bytes", "tenant"): settings.tenant_bytes,
        ("files", "participant"): settings.participant_files,
        ("files", "room"): settings.room_files,
        ("files", "tenant"): settings.tenant_files,
    }


def _tokens(settings: LimitSettings) -> Mapping[Scope, TokenCount]:
    return {
        "participant": TokenCount(settings.participant_tokens_in, settings.participant_tokens_out),
        "room": TokenCount(settings.room_tokens_in, settings.room_tokens_out),
        "tenant": TokenCount(settings.tenant_tokens_in, settings.tenant_tokens_out),
    }
