"""Refunds that a supervisor approves, no matter who asks for them.

python -m agent dev --app examples/approval_by_supervisor/approval_by_supervisor.py
"""

from agent import App
from toolkit import Conflict, NotFound, role, tool

PAID = {"17": 12, "18": 40}
"""Euros that were paid, by the order's number."""

refunded: set[str] = set()


@tool
async def find_order(number: str) -> str:
    """Find an order by its number."""
    if number not in PAID:
        raise NotFound("There is no such order")
    state = "refunded" if number in refunded else "paid"
    return f"{PAID[number]} euros, {state}"


@tool(approvers=role("supervisor"), show="arguments")
async def refund_order(number: str, reason: str) -> str:
    """Pay an order back. A supervisor is asked before that; it may take a minute."""
    if number not in PAID:
        raise NotFound("There is no such order")
    if number in refunded:
        raise Conflict("This order is paid back already")
    refunded.add(number)
    return f"{PAID[number]} euros are paid back"


app = App(
    instructions="You help the customers of a book shop with their orders. You may pay orders "
    "back, which a supervisor approves. Say what they decided.",
    tools=[find_order, refund_order],
)
