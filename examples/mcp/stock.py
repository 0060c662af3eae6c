"""An MCP server of a shop: what it has, and how to order. The worker starts it as a program."""

from mcp.server.mcpserver import MCPServer

STOCK = {"atlas": 3, "cookbook": 0}

server = MCPServer("stock")


@server.tool()
def find_book(title: str) -> str:
    """Tell how many copies of a book are there."""
    if title not in STOCK:
        return f"There is no {title}. There are: {', '.join(STOCK)}."
    return f"{STOCK[title]} copies of {title}"


@server.tool()
def order_book(title: str, copies: int) -> str:
    """Order copies of a book from the publisher."""
    STOCK[title] = STOCK.get(title, 0) + copies
    return f"{copies} copies of {title} are ordered"


if __name__ == "__main__":
    server.run("stdio")
