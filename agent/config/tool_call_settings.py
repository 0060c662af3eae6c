"""ToolCallSettings: a group of settings; agent.config.settings reads them."""

from pydantic import BaseModel, Field

from agent.config.mcp_servers import McpServerSettings


class ToolCallSettings(BaseModel):
    """Approval, MCP servers, and the methods that clients offer."""

    approval_timeout: float = Field(
        60.0,
        alias="APPROVAL_TIMEOUT",
        gt=0,
        le=600,
        description="seconds to wait for the approval of a tool",
    )
    mcp_servers: McpServerSettings = Field(
        {},
        alias="MCP_SERVERS",
        repr=False,
        description="MCP servers whose tools the model has, as JSON; see docs/tools.md",
    )
    max_client_methods: int = Field(
        16,
        alias="MAX_CLIENT_METHODS",
        ge=0,
        le=64,
        description="methods that one client may offer to the model; 0: none",
    )
    client_method_timeout: float = Field(
        15.0,
        alias="CLIENT_METHOD_TIMEOUT",
        gt=0,
        le=300,
        description="seconds to wait for a client's answer to a call of the model",
    )
