"""A tool call in a room: its caller, approval, notices, and the tools that clients offer."""
