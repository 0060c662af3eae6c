"""RoomLimits: limits of one room, its participants and its tenant."""

from __future__ import annotations

from agent.history.token_usage import TokenCount
from agent.limits.counters import Counters, Kind
from agent.limits.gauge import Gauge
from agent.limits.rates import Rates
from agent.limits.token_budgets import TokenBudgets, accounts_of
from agent.wire.refusal import Refusal


class RoomLimits:
    """Counts the usage of a room. Made by ProcessLimits.

    Attributes:
        answers: conversations that are being answered.
        private_conversations: those that are open.
    """

    def __init__(
        self,
        room: str,
        tenant: str,
        *,
        rates: Rates,
        budgets: TokenBudgets,
        counters: Counters,
        answers: Gauge,
        private_conversations: Gauge,
    ) -> None:
        """`tenant` may be empty."""
        self._room = room
        self._tenant = tenant
        self._rates = rates
        self._budgets = budgets
        self._counters = counters
        # Unique for each participant in each room.
        self._prefix = f"{len(room)} {room} "
        self.answers = answers
        self.private_conversations = private_conversations

    def take_message(self, identity: str, size: int) -> None:
        """Counts a message of so many bytes, also one that is not answered.

        Raises:
            Refusal: (429) there were too many, or too many bytes.
        """
        self._take("messages", identity)
        self._take("bytes", identity, size)

    def take_rpc_call(self, identity: str) -> None:
        """Counts a call of one of the agent's methods; raises Refusal (429)."""
        self._take("rpc_calls", identity)

    def take_tool_call(self, identity: str) -> None:
        """Counts a tool call of the model for somebody; raises Refusal (429)."""
        self._take("tool_calls", identity)

    def take_file(self, identity: str) -> None:
        """Counts a file that somebody begins to send; raises Refusal (429)."""
        self._take("files", identity)

    def take_bytes(self, identity: str, size: int) -> None:
        """Counts a piece of a file; raises Refusal (429)."""
        self._take("bytes", identity, size)

    def check_tokens(self, identity: str) -> None:
        """Raises Refusal (429) if the tokens of today are used up, as far as is known here."""
        self._budgets.check(accounts_of(self._tenant, self._room, identity))

    def used(self, tokens_in: int, tokens_out: int) -> None:
        """Counts tokens that belong to no participant, such as those of a summary."""
        self.token_meter().used(tokens_in, tokens_out)

    def token_meter(self) -> TokenMeter:
        """The token counter of one conversation."""
        return TokenMeter(self._budgets, self._tenant, self._room)

    def _take(self, kind: Kind, identity: str, amount: int = 1) -> None:
        rates = self._rates
        rates.take(kind, "participant", self._prefix + identity, amount)
        rates.take(kind, "room", self._room, amount)
        if self._tenant:
            rates.take(kind, "tenant", self._tenant, amount)
        self._counters.used[kind] += amount


class TokenMeter:
    """Counts the tokens of one conversation for the participant whom it is answering.

    Attributes:
        payer: the identity of that participant; empty: nobody, as for a summary.
    """

    def __init__(self, budgets: TokenBudgets, tenant: str, room: str) -> None:
        self._budgets = budgets
        self._tenant = tenant
        self._room = room
        self.payer = ""

    async def begin(self, payer: str) -> Refusal | None:
        """Checks whether an answer may begin; returns why not, if today's tokens are used up
        (429)."""
        self.payer = payer
        accounts = accounts_of(self._tenant, self._room, payer)
        await self._budgets.load(accounts)
        try:
            self._budgets.check(accounts)
        except Refusal as refusal:
            return refusal
        return None

    def used(self, tokens_in: int, tokens_out: int) -> None:
        """Counts the tokens that the model read and wrote for one request."""
        accounts = accounts_of(self._tenant, self._room, self.payer)
        self._budgets.add(accounts, TokenCount(tokens_in, tokens_out))
