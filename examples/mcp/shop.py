"""Tools of an MCP server, one of which people have to agree to.

python -m agent dev --app examples/mcp/shop.py     with MCP_SERVERS as in README.md
"""

from agent import App

# MCP_SERVERS says which servers and tools there are, for whom, and what needs approval: it runs
# programs and has secrets, so it belongs to the deployment and not into the code.
app = App(
    instructions="You tell the people of a book shop which books are there, and order books when "
    "they ask for it.",
)
