"""The least that a server on the official SDK for Python can do, without sessions and with JSON
answers, or with HTTP+SSE: one tool, and a token that is compared with the only one there is."""

import sys

import uvicorn
from mcp.server.mcpserver import MCPServer

transport, port, token = sys.argv[1:]
authorization = f"Bearer {token}".encode()
server = MCPServer("bare-python", log_level="ERROR")


@server.tool(description="Says hello.", structured_output=False)
def hello_mcp() -> str:
    return "Hello I am MCPTool!"


if transport == "sse":
    app = server.sse_app(sse_path="/mcp/sse", message_path="/mcp/message/")
else:
    app = server.streamable_http_app(stateless_http=True, json_response=True)


async def admit(scope, receive, send):
    if scope["type"] == "http" and dict(scope["headers"]).get(b"authorization") != authorization:
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    await app(scope, receive, send)


uvicorn.run(admit, host="127.0.0.1", port=int(port), loop="uvloop", http="httptools",
            access_log=False, log_level="error")
