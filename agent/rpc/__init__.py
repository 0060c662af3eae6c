"""The agent's RPC methods: the tools, and the room's own methods."""
