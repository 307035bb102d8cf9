"""The server of `mcp-twin demo`: MCP over stdio with the standard library only. It is edited while it runs."""

import json
import os
import sys
import threading
import time

VERSION = "v1"
TOOLS = ["version", "slow"]

# Every call that is begun is written down here, so that one that ran twice is seen twice.
JOURNAL = os.open(os.environ["MCP_TWIN_DEMO_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
LOCK = threading.Lock()


def send(message):
    with LOCK:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def answer(ident, call, seconds):
    os.write(JOURNAL, f"{call}\n".encode())
    time.sleep(seconds)
    send({"id": ident, "result": {"content": [{"type": "text", "text": f"{VERSION}: call {call}"}]}})


def listed(name):
    return {"name": name, "description": "Says which version answers", "inputSchema": {"type": "object"}}


print(f"demo server {VERSION} starts", file=sys.stderr, flush=True)
for line in sys.stdin:
    request = json.loads(line)
    ident, params = request.get("id"), request.get("params") or {}
    if ident is None:
        continue
    if request.get("method") == "initialize":
        capabilities = {"tools": {"listChanged": True}}
        about = {"name": "mcp-twin-demo", "version": VERSION}
        version = params["protocolVersion"]
        send({"id": ident, "result": {"protocolVersion": version, "capabilities": capabilities, "serverInfo": about}})
    elif request.get("method") == "ping":
        send({"id": ident, "result": {}})
    elif request.get("method") == "tools/list":
        send({"id": ident, "result": {"tools": [listed(name) for name in TOOLS]}})
    elif request.get("method") == "tools/call":
        call = params["arguments"]["call"]
        seconds = 1.0 if params["name"] == "slow" else 0.0
        if seconds:
            threading.Thread(target=answer, args=(ident, call, seconds)).start()
        else:
            answer(ident, call, seconds)
    else:
        send({"id": ident, "error": {"code": -32601, "message": "no such method"}})
