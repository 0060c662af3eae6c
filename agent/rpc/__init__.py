"""The tools, and what else the agent can do, as RPC methods."""
