"""ping: is anyone there?"""

from toolkit import tool
from toolkit.clock import now, to_ms


@tool(model=False)
async def ping() -> dict[str, int]:
    """Check that the agent answers; returns its time in milliseconds since 1970."""
    return {"pong": to_ms(now())}
