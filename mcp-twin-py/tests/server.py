"""A small server on the official SDK, which tests edit."""

from mcp.server.mcpserver import MCPServer

mcp = MCPServer("small")


@mcp.tool()
def add(a: int, b: int) -> int:
    return a + b


if __name__ == "__main__":
    mcp.run()
