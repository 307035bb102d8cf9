#!/usr/bin/env python3
"""A small MCP server over Streamable HTTP, on Python's standard library alone. Edit it while clients use it:

    mcp-twin serve -- python3 examples/http-server.py --port {port}

It speaks every revision with an `initialize`, up to 2025-11-25 (sessions, a GET stream for what the server says by
itself), and 2026-07-28 (each POST stands for itself).
"""
import argparse
import json
import os
import queue
import sys
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

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
INFO = {"name": "http-server", "version": VERSION}
HERE = ["127.0.0.1", "localhost", "::1"]
LARGEST = 4 << 20
SESSIONS = {}          # id of a legacy session -> what its GET stream has to say; `None` ends it


class Refused(Exception):
    def __init__(self, status, code, message, data=None):
        super().__init__(message)
        self.status = status
        self.error = {"code": code, "message": message} | ({} if data is None else {"data": data})


def list_tools():
    return {"tools": [{"name": name, "description": what,
                       "inputSchema": {"type": "object", "properties": properties, "required": required}}
                      for name, (_, what, properties, required) in TOOLS.items()]}


def call(params, notify):
    token = params.get("_meta", {}).get("progressToken")

    def report(progress, total):
        if token is not None:
            notify({"method": "notifications/progress",
                    "params": {"progressToken": token, "progress": progress, "total": total}})

    try:
        text, wrong = TOOLS[params["name"]][0](report, **params.get("arguments", {})), False
    except ConnectionError:                                    # nobody waits for the answer any more
        raise
    except Exception as why:                                   # of the tool: the model that called it should see it
        text, wrong = f"{type(why).__name__}: {why}", True
    return {"content": [{"type": "text", "text": text}], "isError": wrong}


def result_of(method, params, modern, notify):
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
    if method == "tools/call" and params.get("name") in TOOLS:
        return call(params, notify)
    if method == "tools/call":
        raise Refused(400 if modern else 200, -32602, f"there is no tool `{params.get('name')}`")
    raise Refused(404 if modern else 200, -32601, f"there is no method `{method}`")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    streaming = False

    def do_POST(self):
        self.streaming, ident = False, None
        try:
            message = self.message()
            ident = message.get("id")
            version = self.headers.get("MCP-Protocol-Version", "2025-03-26")
            if version in LEGACY:
                self.legacy(message)
            else:
                self.modern(message, version)
        except Refused as refused:
            self.reply(refused.status, {"id": ident, "error": refused.error})

    def do_GET(self):
        try:
            session = self.session("text/event-stream")
            self.stream()
            while True:
                try:
                    message = session.get(timeout=15)
                except queue.Empty:
                    self.chunk(": still here\n\n")             # finds out whether somebody listens
                    continue
                if message is None:
                    break
                self.event(message)
            self.chunk("")
        except Refused as refused:
            self.reply(refused.status, {"id": None, "error": refused.error})

    def do_DELETE(self):
        try:
            self.session("").put(None)
            del SESSIONS[self.headers["Mcp-Session-Id"]]
            self.reply(200, None)
        except Refused as refused:
            self.reply(refused.status, {"id": None, "error": refused.error})

    # ---- up to 2025-11-25

    def legacy(self, message):
        method, params = message.get("method"), message.get("params", {})
        opening = method == "initialize"
        if not opening:
            self.session("application/json")
        if method is None or "id" not in message:              # an answer or a notification
            return self.reply(202, None)
        result = result_of(method, params, False, self.event)
        named = {}
        if opening:
            named["Mcp-Session-Id"] = uuid.uuid4().hex
            SESSIONS[named["Mcp-Session-Id"]] = queue.Queue()
        self.reply(200, {"id": message["id"], "result": result}, named)

    def session(self, accepted):
        self.check(accepted)
        if self.headers.get("MCP-Protocol-Version", LEGACY[0]) not in LEGACY:
            raise Refused(405, -32600, "this revision has POST only")
        named = self.headers.get("Mcp-Session-Id")
        if named is None:
            raise Refused(400, -32600, "a session id is missing")
        if named not in SESSIONS:
            raise Refused(404, -32600, "there is no such session: initialize again")
        return SESSIONS[named]

    # ---- 2026-07-28

    def modern(self, message, version):
        method, params = message.get("method"), message.get("params", {})
        if method is None:
            raise Refused(400, -32600, "a request or a notification is wanted")
        if "id" not in message:
            return self.reply(202, None)
        meta = params.get("_meta", {})
        if META + "protocolVersion" not in meta or META + "clientCapabilities" not in meta:
            raise Refused(400, -32602, f"`_meta` needs {META}protocolVersion and {META}clientCapabilities")
        mirrored = {"MCP-Protocol-Version": meta[META + "protocolVersion"], "Mcp-Method": method}
        if method == "tools/call":
            mirrored["Mcp-Name"] = params.get("name")
        for header, value in mirrored.items():
            if self.headers.get(header) != value:
                raise Refused(400, -32020, f"{header}: {self.headers.get(header)} does not match the body: {value}")
        if version != MODERN:
            raise Refused(400, -32022, "Unsupported protocol version", {"supported": [MODERN], "requested": version})
        result = result_of(method, params, True, self.event)
        result |= {"resultType": "complete", "_meta": {META + "serverInfo": INFO}}
        self.reply(200, {"id": message["id"], "result": result})

    # ---- HTTP

    def check(self, accepted):
        """Refuses what a page in a browser could make the user send, and what could not be answered."""
        for value in (self.headers.get("Host"), self.headers.get("Origin")):
            if value and urlsplit(value if "//" in value else "//" + value).hostname not in HERE:
                raise Refused(403, -32600, f"not served to {value}")
        if accepted not in self.headers.get("Accept", "") and "*/*" not in self.headers.get("Accept", ""):
            raise Refused(406, -32600, f"the answer is {accepted}, which is not accepted")
        if urlsplit(self.path).path != "/mcp":
            raise Refused(404, -32600, "MCP is served at /mcp")

    def message(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST:
            self.close_connection = True                       # what comes next is a body nobody read
            raise Refused(413 if length.isdecimal() else 411, -32600, f"a Content-Length up to {LARGEST} is needed")
        body = self.rfile.read(int(length))
        self.check("application/json")
        self.check("text/event-stream")
        try:
            message = json.loads(body)
        except ValueError:
            raise Refused(400, -32700, "this is not JSON") from None
        if not isinstance(message, dict):
            raise Refused(400, -32600, "one message is wanted")
        return message

    def reply(self, status, message, headers=None):
        """The answer: on the stream if there is one by now, else alone."""
        if self.streaming:
            self.event(message)
            return self.chunk("")
        body = b"" if message is None else json.dumps({"jsonrpc": "2.0"} | message).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if body:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self):
        self.send_response(200)
        for name, value in (("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache"),
                            ("X-Accel-Buffering", "no"), ("Transfer-Encoding", "chunked")):
            self.send_header(name, value)
        self.end_headers()
        self.streaming = True

    def event(self, message):
        if not self.streaming:
            self.stream()
        self.chunk(f"event: message\ndata: {json.dumps({'jsonrpc': '2.0'} | message)}\n\n")

    def chunk(self, text):
        """A piece of the stream; an empty one ends it."""
        self.wfile.write(f"{len(text.encode()):x}\r\n{text}\r\n".encode())

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, address):
        pass                                                   # a client that left is no error


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")))
    server = Server(("127.0.0.1", options.parse_args().port), Handler)
    print(f"listening on http://127.0.0.1:{server.server_port}/mcp", file=sys.stderr, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
