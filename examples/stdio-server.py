#!/usr/bin/env python3
"""A small MCP server over stdio, on Python's standard library alone. Edit it while a client uses it:

    mcp-twin run -- python3 examples/stdio-server.py

It speaks every revision with an `initialize`, up to 2025-11-25, and 2026-07-28, where each request stands for itself.
"""
import json
import os
import sys
import threading
import time

VERSION = "1.0.0"
GREETING = "Hello"


# ------------------------------------------------------------------------------------------------ tools: edit here

def greet(report, name="world"):
    return f"{GREETING}, {name}!"


def add(report, a, b):
    return str(a + b)


def countdown(report, seconds=3):
    for second in range(seconds):
        report(second, seconds)
        time.sleep(1)
    return f"{seconds} s are over, says version {VERSION}"


def whoami(report):
    return f"version {VERSION}, process {os.getpid()}"


TEXT, NUMBER = {"type": "string"}, {"type": "number"}
TOOLS = {
    "greet": (greet, "Greet somebody", {"name": TEXT}, []),
    "add": (add, "Add two numbers", {"a": NUMBER, "b": NUMBER}, ["a", "b"]),
    "countdown": (countdown, "Take some seconds, and tell the progress", {"seconds": {"type": "integer"}}, []),
    "whoami": (whoami, "Tell which process answers", {}, []),
}


# ------------------------------------------------------------------------------------------------ the protocol

LEGACY = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]
MODERN = "2026-07-28"
META = "io.modelcontextprotocol/"
CAPABILITIES = {"tools": {"listChanged": True}}
INFO = {"name": "stdio-server", "version": VERSION}
LOCK = threading.Lock()


class Refused(Exception):
    def __init__(self, code, message, data=None):
        super().__init__(message)
        self.error = {"code": code, "message": message} | ({} if data is None else {"data": data})


def send(message):
    with LOCK:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0"} | message) + "\n")
        sys.stdout.flush()


def list_tools():
    return {"tools": [{"name": name, "description": what,
                       "inputSchema": {"type": "object", "properties": properties, "required": required}}
                      for name, (_, what, properties, required) in TOOLS.items()]}


def call(params):
    if params.get("name") not in TOOLS:
        raise Refused(-32602, f"there is no tool `{params.get('name')}`")
    token = params.get("_meta", {}).get("progressToken")

    def report(progress, total):
        if token is not None:
            send({"method": "notifications/progress",
                  "params": {"progressToken": token, "progress": progress, "total": total}})

    try:
        text, wrong = TOOLS[params["name"]][0](report, **params.get("arguments", {})), False
    except Exception as why:                                  # of the tool: the model that called it should see it
        text, wrong = f"{type(why).__name__}: {why}", True
    return {"content": [{"type": "text", "text": text}], "isError": wrong}


def result_of(method, params, modern):
    once = {"ttlMs": 0, "cacheScope": "private"} if modern else {}
    if method == "initialize" and not modern:
        asked = params.get("protocolVersion")
        version = asked if asked in LEGACY else LEGACY[0]
        return {"protocolVersion": version, "capabilities": CAPABILITIES, "serverInfo": INFO}
    if method == "ping" and not modern:
        return {}
    if method == "server/discover" and modern:
        return {"supportedVersions": [MODERN], "capabilities": CAPABILITIES, **once}
    if method == "tools/list":
        return list_tools() | once
    if method == "tools/call":
        return call(params)
    raise Refused(-32601, f"there is no method `{method}`")


def answer(message):
    params = message.get("params", {})
    asked = params.get("_meta", {}).get(META + "protocolVersion")
    try:
        if asked not in (None, MODERN):
            raise Refused(-32022, "Unsupported protocol version", {"supported": [MODERN], "requested": asked})
        result = result_of(message["method"], params, asked == MODERN)
        if asked == MODERN:
            result |= {"resultType": "complete", "_meta": {META + "serverInfo": INFO}}
        send({"id": message["id"], "result": result})
    except Refused as refused:
        send({"id": message["id"], "error": refused.error})


def main():
    for line in sys.stdin:
        message = json.loads(line)
        if "method" in message and "id" in message:           # a slow tool does not keep the others waiting
            threading.Thread(target=answer, args=(message,)).start()


if __name__ == "__main__":
    main()
