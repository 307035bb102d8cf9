"""`mcp_twin.asgi`: twins of applications that a process serves on loopback."""

import asyncio
import os
import py_compile
import subprocess
import sys
from textwrap import dedent

import pytest
from patience import heard

import mcp_twin
from mcp_twin.session import Session

SDK = """
    from mcp.server.mcpserver import MCPServer

    mcp = MCPServer("served")

    @mcp.tool()
    def add(a: int, b: int) -> int:
        return a + b

    app = mcp.streamable_http_app()
"""

#: An application without any library, which starts in an instant. `VERSION` is what tests edit.
PLAIN = '''
    import json
    VERSION = 1

    def answer(message):
        if message["method"] == "initialize":
            version = message["params"]["protocolVersion"]
            return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": {"name": "plain", "version": "1"}}
        if message["method"] == "tools/list":
            return {"tools": [{"name": "version", "inputSchema": {"type": "object"}}]}
        if message["method"] == "tools/call":
            return {"content": [{"type": "text", "text": str(VERSION)}]}
        return {} if message["method"] == "ping" else None

    async def serve(scope, receive, send):
        if scope["type"] != "http":
            return
        body = b""
        while (part := await receive())["type"] == "http.request":
            body += part["body"]
            if not part.get("more_body"):
                break
        status, said = 405, {}
        if scope["method"] == "POST":
            message = json.loads(body)
            result = answer(message) if "id" in message else None
            status = 200 if result is not None else 202 if "id" not in message else 400
            said = {"jsonrpc": "2.0", "id": message.get("id"), "result": result}
            if result is None:
                said = {"jsonrpc": "2.0", "id": message.get("id"), "error": {"code": -32601, "message": "no"}}
        headers = [(b"content-type", b"application/json"), (b"mcp-session-id", b"one")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(said).encode()})

    def create():
        return serve
'''


def written(folder, name, text):
    (folder / f"{name}.py").write_text(dedent(text))
    return folder / f"{name}.py"


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_an_app_of_the_sdk_is_swapped_under_an_open_session(place, mode):
    script = written(place.folder, "served", SDK)
    # A cache that by time and size is that of the edited file, too.
    py_compile.compile(str(script))
    saved = script.stat()
    with mcp_twin.asgi("served:app", **place.more) as twin, Session(twin.url, mode) as client:
        url = twin.url
        assert twin.server == "served" and client.call_tool("add", a=3, b=2) == 5
        script.write_text(script.read_text().replace("a + b", "a - b"))
        os.utime(script, ns=(saved.st_atime_ns, saved.st_mtime_ns))
        assert twin.swap().kind == "swapped"
        assert client.call_tool("add", a=3, b=2) == 1
        assert twin.rollback().kind == "rolled_back"
        assert client.call_tool("add", a=3, b=2) == 5 and twin.url == url
    assert place.processes() == []


@pytest.fixture
def plain(tmp_path, monkeypatch):
    """A module `plain_app` that this process can import too."""
    script = written(tmp_path, "plain_app", PLAIN)
    monkeypatch.syspath_prepend(tmp_path)
    yield script
    sys.modules.pop("plain_app", None)


def version(twin):
    with Session(twin.url, "legacy") as client:
        return client.call_tool("version")


def test_a_factory_is_named_by_itself_and_broken_code_is_refused(plain, tmp_path):
    from plain_app import create

    with mcp_twin.asgi(create, private=True) as twin:
        assert twin.spec.command[-3:] == ["plain_app:create", "--port", "{port}"]
        assert version(twin) == "1"
        good = plain.read_text()
        plain.write_text(good.replace("def create():", "def create():\n    raise LookupError('no such thing')"))
        with pytest.raises(mcp_twin.StartError) as failed:
            twin.swap()
        assert "no such thing" in failed.value.stderr_tail
        assert version(twin) == "1"
        plain.write_text(good.replace("VERSION = 1", "VERSION = 2"))
        assert twin.swap().kind == "swapped" and version(twin) == "2"


def test_its_twins_can_be_asynchronous(plain):
    async def main():
        async with mcp_twin.asgi("plain_app:serve", kind=mcp_twin.AsyncTwin, private=True) as twin:
            plain.write_text(plain.read_text().replace("VERSION = 1", "VERSION = 2"))
            assert (await twin.swap()).kind == "swapped"
            assert await asyncio.to_thread(version, twin) == "2"

    asyncio.run(main())


def test_a_save_of_what_it_imports_is_followed(tmp_path):
    package = tmp_path / "notes"
    package.mkdir()
    (package / "__init__.py").touch()
    part = written(package, "part", PLAIN)
    written(package, "web", "from .part import serve")
    with mcp_twin.asgi("notes.web:serve", cwd=tmp_path, watch=True, private=True) as twin:
        events = twin.events()
        part.write_text(part.read_text().replace("VERSION = 1", "VERSION = 2"))
        assert heard(events, "swapped", "failed").kind == "swapped"
        assert version(twin) == "2"


def named(app):
    return mcp_twin.asgi(app).spec.command[3]


class Holder:
    def make(self):
        return None


HOLDER = Holder()


def test_what_can_be_named_is_named(plain):
    import plain_app

    assert named(plain_app.serve) == "plain_app:serve"
    assert named(HOLDER.make) == f"{__name__}:HOLDER.make"
    # What this module imported has its name where it was made.
    globals()["app"] = plain_app.app = Holder()
    plain_app.app.__class__.__call__ = lambda self, scope, receive, send: None
    assert named(plain_app.app) == "plain_app:app"


def test_what_cannot_be_named_or_found_is_refused():
    def within():
        pass

    for wrong, said in [
        (lambda: None, "made within a function"),
        (within, "made within a function"),
        (Holder(), "no module holds it"),
        ("plain_app", "does not name an application"),
        ("a b:c", "does not name an application"),
        ("no_such_module:app", "no module `no_such_module`"),
    ]:
        with pytest.raises(mcp_twin.UsageError, match=said) as refused:
            mcp_twin.asgi(wrong)
        assert refused.value.help


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("plain_app:nothing", "has no `nothing`"),
        ("plain_app:VERSION", "is a int, and no ASGI application"),
        ("plain_app:late", "is a coroutine function"),
        ("plain_app:mcp", "`plain_app:mcp.streamable_http_app` names the one"),
        ("again:app", "while it is imported"),
    ],
)
def test_what_is_no_application_is_told(plain, tmp_path, text, said):
    more = "\nasync def late(): pass\nclass Server:\n    def streamable_http_app(self): pass\nmcp = Server()\n"
    plain.write_text(plain.read_text() + more)
    written(tmp_path, "again", "import mcp_twin\nmcp_twin.asgi('again:app').start()")
    with pytest.raises(mcp_twin.StartError) as failed:
        mcp_twin.asgi(text, cwd=tmp_path, private=True).start()
    assert said in failed.value.stderr_tail


def test_who_has_no_uvicorn_is_told_how_to_get_it(plain, tmp_path):
    written(tmp_path, "uvicorn", "raise ModuleNotFoundError(\"No module named 'uvicorn'\", name='uvicorn')")
    with pytest.raises(mcp_twin.StartError) as failed:
        mcp_twin.asgi("plain_app:serve", cwd=tmp_path, private=True).start()
    assert "pip install uvicorn" in failed.value.stderr_tail


def test_a_script_can_serve_its_own_application(tmp_path):
    script = written(
        tmp_path,
        "own",
        dedent(PLAIN)
        + dedent("""
            if __name__ == "__main__":
                import mcp_twin
                from mcp_twin.session import Session
                with mcp_twin.asgi(create, private=True) as twin, Session(twin.url, "legacy") as client:
                    print(client.call_tool("version"))
        """),
    )
    # From another folder: it is found where the script lies.
    ran = subprocess.run([sys.executable, script], cwd="/", capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout == "1\n"
