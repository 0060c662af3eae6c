"""The project against its peers, side by side: `python -m bench`. Docs: docs/performance.md."""
