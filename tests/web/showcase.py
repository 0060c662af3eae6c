"""Tools that show all that the page can show: sources, cards, a chart, a form, approval."""

from __future__ import annotations

from toolkit import Data, PartAction, Result, Source, Suggestion, ToolContext, tool
from tools import TOOLS

SEATS = {
    "type": "object",
    "properties": {
        "seats": {"type": "integer", "minimum": 1, "maximum": 4, "description": "How many"},
        "window": {"type": "boolean", "description": "At the window"},
    },
    "required": ["seats"],
}

WEEK = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


async def change(action: PartAction) -> str:
    """The actions of the order's buttons."""
    return f"The order is {'cancelled' if action.action == 'cancel' else 'on its way'}."


async def book(action: PartAction) -> dict[str, object]:
    """The action of the form."""
    return {"booked": action.payload["seats"]}


@tool(show="all")
async def find_order(number: str) -> Result:
    """Find an order by its number."""
    card = {
        "title": f"Order {number}",
        "state": "On its way",
        "arrives": "Thursday, 14:00",
        "total": "€ 129.00",
        "actions": [
            {"action": "track", "label": "Track it"},
            {"action": "cancel", "label": "Cancel"},
        ],
    }
    return Result(
        f"Order {number} is on its way.",
        Data("order-card", card, id="order", on_action=change),
        Source("Shipping terms", "https://shop.example/terms", quote="within five days"),
        Suggestion("When does it arrive?"),
    )


@tool
async def sales_of_the_week(context: ToolContext) -> str:
    """Show what was sold this week."""
    chart = {
        "title": "Orders this week",
        "chart": "bar",
        "labels": WEEK,
        "series": [
            {"name": "Shop", "values": [34, 41, 38, 52, 61, 73, 40]},
            {"name": "App", "values": [21, 25, 30, 33, 42, 58, 37]},
        ],
    }
    context.show(Data("sales", chart, id="sales"))
    return "The chart is shown."


@tool
async def offer_seats(context: ToolContext) -> str:
    """Offer seats in a form."""
    context.show(Data("seat-form", {"title": "Your seats"}, id="s", schema=SEATS, on_action=book))
    return "The form is shown."


@tool(needs_approval=True)
async def send_mail(to: str, text: str) -> str:
    """Send a mail in the person's name."""
    return f"Sent {len(text)} characters to {to}."


TOOLS_SHOWN = [*TOOLS, find_order, sales_of_the_week, offer_seats, send_mail]
