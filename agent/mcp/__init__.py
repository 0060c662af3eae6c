"""MCP servers: their connections and their tools."""
