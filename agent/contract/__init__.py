"""The shapes of what goes over the wire, as types: `python -m agent schemas` exports them.

Clients' types are made of them. basedpyright holds the answers of RPC methods to them, and the
packets and parts that stand in the code as dicts of these types. Notices, tools' parts and `chat`
packets are put together by name: tests/agent/contract holds those of a real room to them. A field
that may be absent is NotRequired; absent fields are never null. Docs: docs/wire-contract.md.

TypedDict is that of typing_extensions, which pydantic brings: before Python 3.12 it can describe no
other.
"""
