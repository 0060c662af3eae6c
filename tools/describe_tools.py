"""describeTools: what a client needs to offer the tools to a person."""

from toolkit.context import ToolContext
from toolkit.tool import tool


@tool
async def describe_tools(context: ToolContext) -> dict[str, object]:
    """List the tools that can be called, with descriptions and JSON schemas of the arguments."""
    return {
        "tools": [
            {"name": each.name, "description": each.description, "parameters": each.json_schema()}
            for each in context.toolbox
            if each.rpc and each.allows(context.caller)
        ]
    }
