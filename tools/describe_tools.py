"""describeTools: descriptions of the tools, for a client that offers them to a person."""

from toolkit import Role, ToolContext, ToolDescription, tool


@tool(model=False)
async def describe_tools(context: ToolContext) -> dict[str, object]:
    """List the tools that can be called, with descriptions and JSON schemas of the arguments."""
    return {
        "tools": [
            _describe(each) for each in context.toolbox if each.rpc and each.allows(context.caller)
        ]
    }


def _describe(described: ToolDescription) -> dict[str, object]:
    about: dict[str, object] = {
        "name": described.name,
        "description": described.description,
        "parameters": described.json_schema(),
        "needsApproval": described.needs_approval,
        "confidential": described.confidential,
    }
    if isinstance(described.allow, Role):
        about["roles"] = sorted(described.allow.names)
    return about
