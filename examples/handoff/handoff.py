"""Two agents: one finds out what a customer wants, the other one knows invoices.

python -m agent dev --app examples/handoff/handoff.py
"""

from agent import App, Handoff, Persona
from toolkit import tool

INVOICES = {"17": "12 euros, paid", "18": "40 euros, open"}


@tool
async def ask_billing(reason: str) -> Handoff:
    """Hand the customer to billing when it is about money."""
    return Handoff("billing", reason)


@tool
async def ask_triage() -> Handoff:
    """Hand the customer back when it is not about money."""
    return Handoff("triage")


@tool
async def find_invoice(number: str) -> str:
    """Find an invoice by its number."""
    return INVOICES.get(number, "there is no such invoice")


app = App(
    {
        "triage": Persona(
            "You find out what the customer wants, and hand over questions about money.",
            greeting="Hello! What is it about?",
            tools=[ask_billing],
        ),
        "billing": Persona(
            "You answer questions about invoices.",
            name="Billing desk",
            tools=[find_invoice, ask_triage],
        ),
    },
    default="triage",
)
