"""MCP servers: real ones, as programs and over HTTP."""
