"""A report that takes long: the agent goes on talking, and tells it when it is there.

python -m agent dev --app examples/background_report/background_report.py
"""

import asyncio

from agent import App
from toolkit import Data, NotFound, Result, ToolContext, tool

SALES = {"books": [12, 9, 17, 20], "maps": [3, 1, 4, 2]}
SECONDS_A_QUARTER = 5.0


@tool(timeout=600, on_duplicate="reject", duplicate_scope="name_and_args", cancellable=True)
async def make_report(context: ToolContext, department: str) -> Result:
    """Make the sales report of a department."""
    quarters = SALES.get(department)
    if quarters is None:
        raise NotFound(f"There is no department {department}. There are: {', '.join(SALES)}")
    # Until here the model waits for an answer; from here on it talks, and so does everybody else.
    context.background(f"about {SECONDS_A_QUARTER * len(quarters):.0f} seconds")
    rows: list[object] = []
    for number, sold in enumerate(quarters, start=1):
        context.progress((number - 1) / len(quarters), f"Quarter {number} of {len(quarters)}")
        await asyncio.sleep(SECONDS_A_QUARTER)
        rows.append({"quarter": number, "sold": sold})
    # Shown parts come with the answer that reports the result.
    return Result({"department": department, "sold": sum(quarters)}, Data("chart", rows))


app = App(instructions="You tell the people of a shop how it sells.", tools=[make_report])
