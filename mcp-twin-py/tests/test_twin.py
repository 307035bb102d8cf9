"""`Twin`, `AsyncTwin`, `Fleet`: every method, and what goes wrong."""

import asyncio
import json
import os
import pickle
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from patience import PATIENCE, until

import mcp_twin
from mcp_twin import AsyncTwin, Fleet, Twin

ROOT = Path(__file__).parents[2]


def test_all_methods(place):
    with Twin(place.command, name="plain", **place.more) as twin:
        assert twin.server == "plain" and twin.url.startswith("http://127.0.0.1:")
        events = twin.events()
        assert twin.swap().kind == "nothing_newer"
        place.save(2)
        reloaded = twin.reload()
        assert reloaded.kind == "verified" and reloaded.standby.generation == 2
        swapped = twin.swap()
        assert (swapped.kind, swapped.previous.generation, swapped.active.generation) == ("swapped", 1, 2)
        status = twin.status()
        assert (status.state, status.swaps, status.active.generation) == ("serving", 1, 2)
        assert twin.rollback().active.generation == 1
        assert [line.outcome for line in twin.history()] == ["started", "swapped", "rolled_back"]
        assert any("swapped generation 1 for 2" in line or "swapped generation 2 for 1" in line for line in twin.logs())
        assert "<table>" in twin._repr_html_()
    kinds = [event.kind for event in events]
    assert [kind for kind in kinds if kind != "log"] == ["waiting", "swapped", "rolled_back"]
    assert place.processes() == [] and not twin.running
    twin.stop()
    with pytest.raises(mcp_twin.StoppedError):
        twin.reload()


def test_a_server_that_cannot_start_is_told_with_its_stderr(place):
    place.script.write_text("raise SystemExit('no way')")
    with pytest.raises(mcp_twin.StartError) as failed:
        Twin(place.command, **place.more).start()
    assert failed.value.code == "twin::spawn::exited_early" and "no way" in failed.value.stderr_tail
    again = pickle.loads(pickle.dumps(failed.value))
    assert (type(again), again.code, again.stderr_tail) == (type(failed.value), failed.value.code, failed.value.stderr_tail)
    assert place.processes() == []


def test_what_cannot_be_is_refused():
    for wrong in [lambda: Twin("python server.py"), lambda: Twin(["x"], colour="red"), lambda: Twin(["x"]).reload()]:
        with pytest.raises(mcp_twin.UsageError):
            wrong()
    for wrong in [Twin([]), Twin(["x"], options={"bkae": "1s"})]:
        with pytest.raises(mcp_twin.UsageError):
            wrong.start()
    with pytest.raises(mcp_twin.RollbackError), Twin([sys.executable, str(ROOT / "mcp-twin-py/tests/server.py")], private=True) as twin:
        twin.rollback()


def test_a_wait_has_a_deadline_and_what_was_begun_goes_on(place):
    with Twin(place.command, **place.more) as twin:
        place.script.write_text("import time; time.sleep(600)")
        with pytest.raises(TimeoutError):
            twin.reload(timeout=0.2)
        assert twin.status().state == "serving"


def test_the_fleet_commands_fronts_of_the_machine(place):
    with Twin(place.command, name="plain", **place.more):
        fleet = Fleet(place.more["home"])
        assert fleet.servers() == ["plain"]
        place.save(2)
        assert [outcome.kind for outcome in fleet.swap("plain")] == ["swapped"]
        assert fleet.status("plain")[0].active.generation == 2
        assert fleet.rollback("plain")[0].kind == "rolled_back"
        with pytest.raises(mcp_twin.NotFoundError):
            fleet.reload("nobody")
    assert fleet.servers() == []


def test_threads_wait_side_by_side(place):
    with Twin(place.command, **place.more) as twin:
        place.save(2)
        kinds = []
        threads = [threading.Thread(target=lambda: kinds.append(twin.reload().kind)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert kinds == ["verified"] * 4


def test_other_threads_run_while_one_waits(place):
    with Twin(place.command, **place.more) as twin:
        place.script.write_text("import time; time.sleep(600)")
        ticked = threading.Event()
        threading.Timer(0.05, ticked.set).start()
        with pytest.raises(TimeoutError):
            twin.reload(timeout=1)
        assert ticked.is_set()


def test_asyncio(place):
    async def main():
        async with AsyncTwin(place.command, **place.more) as twin:
            events = twin.events()
            place.save(2)
            assert (await twin.reload()).kind == "verified"
            assert (await twin.swap()).kind == "swapped"
            assert (await twin.rollback()).kind == "rolled_back"
            assert (await twin.status()).swaps == 2
            assert [line.outcome for line in await twin.history()][-1] == "rolled_back"
            assert await twin.logs()
            kinds = [(await events.__anext__()).kind for _ in range(2)]
            assert "waiting" in kinds or "log" in kinds
            place.script.write_text("import time; time.sleep(600)")
            task = asyncio.create_task(twin.swap())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            with pytest.raises(TimeoutError):
                await twin.reload(timeout=0.1)
            assert (await twin.status()).state == "serving"

    asyncio.run(main())
    assert place.processes() == []


def test_a_start_that_is_cancelled_leaves_no_process(place):
    place.script.write_text("import time; time.sleep(600)")

    async def main():
        task = asyncio.create_task(AsyncTwin(place.command, **place.more).start())
        while not place.processes():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(main(), PATIENCE))
    until(lambda: place.processes() == [])


def test_a_twin_that_is_forgotten_ends(place):
    twin = Twin(place.command, **place.more)
    twin.start()
    assert place.processes()
    del twin
    until(lambda: place.processes() == [])


LEFT = """
import sys, mcp_twin
command, folder = sys.argv[1:3]
twin = mcp_twin.Twin([sys.executable, command], cwd=folder, private=True, env={"MCP_TWIN_TEST": folder})
twin.start()
"""


def test_a_program_that_ends_leaves_neither_process_nor_file(place):
    code = [sys.executable, "-c", LEFT, str(place.script), str(place.folder)]
    # A short path: the sockets of a front lie in its state directory where theirs is not too long for that.
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as temporary:
        subprocess.run(code, check=True, timeout=PATIENCE, env={**os.environ, "TMPDIR": temporary})
        assert (place.processes(), os.listdir(temporary)) == ([], [])


ENDS = """
import os, threading, time
from mcp_twin import _call, _native
entered = threading.Event()
def slow(value, trouble):
    entered.set()
    time.sleep(0.3)
    print("told", flush=True)
_call.begin(lambda done: _native.logs(os.devnull, 0, done), slow)
assert entered.wait(20)
"""


def test_a_program_that_ends_while_it_is_told_something_ends_well():
    # A thread that is within Python at its end would be cut off there, and abort the process.
    ran = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, timeout=PATIENCE)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "told\n", "")


FORKED = """
import os, sys, mcp_twin
command, folder = sys.argv[1:3]
with mcp_twin.Twin([sys.executable, command], cwd=folder, private=True, env={"MCP_TWIN_TEST": folder}) as twin:
    before = twin.status().active.pid
    child = os.fork()
    if child == 0:
        sys.exit()
    print(os.waitpid(child, 0)[1], twin.status().active.pid == before, twin.reload().kind)
"""


def test_a_child_by_fork_leaves_the_front_to_its_parent(place):
    code = [sys.executable, "-c", FORKED, str(place.script), str(place.folder)]
    ran = subprocess.run(code, capture_output=True, text=True, timeout=PATIENCE)
    # The child would wait for its end, and say that this took too long.
    assert (ran.stdout, ran.stderr) == ("0 True verified\n", "")
    assert place.processes() == []


def test_parity_with_rust():
    fixture = json.loads((ROOT / "tests/fixtures/parity.json").read_text())
    for one in fixture["names"]:
        assert mcp_twin.hash_code(one["name"]) == one["hash"]
        assert list(mcp_twin.assign_ports(one["name"])) == one["ports"]
    from mcp_twin import _native

    for one in fixture["commands"]:
        assert _native.extract_script_path(one["command"], one["args"], fixture["cwd"]) == one["scriptPath"]


def test_detected_servers_are_those_of_rust(tmp_path, monkeypatch):
    fixture = json.loads((ROOT / "tests/fixtures/parity.json").read_text())["detected"]
    for name in ("XDG_CONFIG_HOME", "APPDATA", "CLAUDE_CONFIG_DIR", "CODEX_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for path, text in fixture["files"].items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    found = [
        {
            "name": one.name,
            "command": one.command,
            "args": list(one.args),
            "scriptPath": one.script_path and str(one.script_path).replace(str(tmp_path), "ROOT"),
        }
        for one in mcp_twin.detect_servers(tmp_path / "project")
    ]
    found = json.loads(json.dumps(found).replace(str(tmp_path), "ROOT"))
    assert len(found) > 2 and sorted(found, key=lambda one: one["name"]) == fixture["servers"]


def test_detection_reads_what_clients_have(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "p").mkdir()
    entry = {"command": "python", "args": ["notes.py"], "env": {"my_flag": "1"}}
    (tmp_path / "p/.mcp.json").write_text(json.dumps({"mcpServers": {"notes": entry}}))
    (found,) = mcp_twin.detect_servers(tmp_path / "p")
    assert (found.name, found.command, found.args) == ("notes", "python", ("notes.py",))
    spec = mcp_twin.ServerSpec.configured("notes", tmp_path / "p")
    assert (list(spec.command), spec.name, spec.env) == (["python", "notes.py"], "notes", {"my_flag": "1"})
    with pytest.raises(mcp_twin.NotFoundError, match="nobody") as unknown:
        mcp_twin.ServerSpec.configured("nobody", tmp_path / "p")
    assert "known are notes" in unknown.value.help


def test_importing_it_loads_little():
    code = "import sys; before = set(sys.modules); import mcp_twin; print(*sorted(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    # What each costs more than all of it: `bench.py` says how long it takes.
    assert "mcp_twin._native" in loaded and not {"asyncio", "dataclasses", "json", "logging", "mcp", "anyio"} & set(loaded)
