"""The shapes of what goes over the wire, as types: `python -m agent schemas` exports them.

Clients' types are made of them. basedpyright holds the answers of RPC methods to them, and packets
that stand in the code as dicts of these types; notices, parts and `chat` packets are put together
by name, and tests/agent/contract holds those of a real room to them. A field that may be absent is
NotRequired; absent fields are never null. Docs: docs/wire-contract.md.

TypedDict is that of typing_extensions, which pydantic brings: before Python 3.12 it can describe no
other.
"""
