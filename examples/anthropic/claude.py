"""An app that Claude answers, by the plugin of livekit-agents.

pip install livekit-plugins-anthropic
python -m agent dev --app examples/anthropic/claude.py     with ANTHROPIC_API_KEY
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent import App
from toolkit import tool

if TYPE_CHECKING:
    from livekit.agents import llm

HOURS = {"saturday": "10 to 4", "sunday": "closed"}


@tool
async def opening_hours(day: str) -> str:
    """Tell when the shop is open on a day of the week."""
    return HOURS.get(day.lower(), "9 to 6")


def claude() -> llm.LLM[Any]:
    """Called once in each process, when the first question comes."""
    from livekit.plugins import anthropic  # noqa: PLC0415 - it takes a while

    # The key comes from the environment. The service caches instructions and tools.
    return anthropic.LLM(model="claude-sonnet-4-6", max_tokens=1024, caching="ephemeral")


app = App(
    instructions="You tell when the shop is open.",
    tools=[opening_hours],
    llm=claude,
)
