"""describeTools: descriptions of the tools, for a client that offers them to a person."""

from typing import NotRequired

from typing_extensions import TypedDict

from toolkit import Role, ToolContext, ToolDescription, tool


class DescribedTool(TypedDict):
    """A tool that the caller may call. `parameters` is a JSON schema; a caller needs one of the
    `roles`, and the model approval where `needsApproval` says so, by one of the roles `approvers`
    if there are any."""

    name: str
    description: str
    parameters: dict[str, object]
    needsApproval: bool
    confidential: bool
    roles: NotRequired[list[str]]
    approvers: NotRequired[list[str]]


class ToolList(TypedDict):
    """The tools that the caller may call."""

    tools: list[DescribedTool]


@tool(model=False)
async def describe_tools(context: ToolContext) -> ToolList:
    """List the tools that can be called, with descriptions and JSON schemas of the arguments."""
    return {
        "tools": [
            _describe(each)
            for each in context.toolbox
            if each.rpc and each.allows(context.caller) and each.may_approve(context.caller)
        ]
    }


def _describe(described: ToolDescription) -> DescribedTool:
    about: DescribedTool = {
        "name": described.name,
        "description": described.description,
        "parameters": described.json_schema(),
        "needsApproval": described.needs_approval,
        "confidential": described.confidential,
    }
    if isinstance(described.allow, Role):
        about["roles"] = sorted(described.allow.names)
    if isinstance(described.approvers, Role):
        about["approvers"] = sorted(described.approvers.names)
    return about
