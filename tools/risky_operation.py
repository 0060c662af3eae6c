"""riskyOperation: an operation that can fail, to try out how a client handles errors."""

from typing import Annotated

from pydantic import Field

from toolkit import tool

FAILING_TEXT = "data"
"""The bare text that LiveKit's RPC error-handling example sends, and expects an error for."""


@tool(text_argument="data", model=False)
async def risky_operation(
    fail: Annotated[bool, Field(description="Whether the operation is to fail")] = False,
    data: Annotated[
        str, Field(description=f'Text to work on; "{FAILING_TEXT}" makes the operation fail')
    ] = "",
) -> dict[str, object]:
    """Try an operation that fails on demand."""
    if fail or data == FAILING_TEXT:
        raise RuntimeError("the operation failed on request")
    return {"success": True, "result": data}
