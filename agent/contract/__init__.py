"""The wire format as types: `python -m agent schemas` exports them.

Clients' types are generated from them. basedpyright checks the answers of RPC methods against them,
and packets and parts that the code writes as dicts of these types. Notices, tools' parts and `chat`
packets are built from names: tests/agent/contract checks those of a real room. A field that may be
absent is NotRequired; absent fields are never null. Docs: docs/wire-contract.md.

TypedDict comes from typing_extensions: pydantic cannot describe that of `typing` before Python
3.12.
"""
