"""The shapes of what goes over the wire, as types: `python -m agent schemas` exports them.

The code that sends something is checked against them, and clients' types are made of them. A field
that may be absent is NotRequired; absent fields are never null. Docs: docs/wire-contract.md.

TypedDict is that of typing_extensions, which pydantic brings: before Python 3.12 it can describe no
other.
"""
