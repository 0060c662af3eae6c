"""MCP servers: what they are, connections to them that are kept up, and their tools."""
