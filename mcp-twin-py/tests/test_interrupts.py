"""Ctrl-C in each wait."""

import signal
import subprocess
import sys
import time

import pytest
from conftest import PLAIN
from patience import PATIENCE, until

INTERRUPTED = """
import signal, sys, mcp_twin
# Also where the tests run in the background of a shell, which has this ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
command, folder, when = sys.argv[1:4]
twin = mcp_twin.Twin([sys.executable, command], cwd=folder, home=folder + "/home", env={"MCP_TWIN_TEST": folder})
slow = "import time; time.sleep(600)"
def hang():
    print("waiting", flush=True)
if when == "start":
    open(command, "w").write(slow)
    hang()
    twin.start()
with twin:
    open(command, "w").write(slow)
    hang()
    getattr(twin, when)()
"""


@pytest.mark.parametrize("when", ["start", "swap", "reload"])
def test_ctrl_c_interrupts_at_once_and_leaves_no_process(place, when):
    code = [sys.executable, "-c", INTERRUPTED, str(place.script), str(place.folder), when]
    child = subprocess.Popen(code, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "waiting\n"
        # In the wait itself: the new twin is there.
        until(lambda: len(place.processes()) >= (1 if when == "start" else 2))
        start = time.monotonic()
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=PATIENCE)
    finally:
        child.kill()
        child.wait()
    assert child.returncode == -signal.SIGINT and "KeyboardInterrupt" in said, said
    # The slow server is ended by the ladder, 4 s at most.
    assert time.monotonic() - start < 10
    until(lambda: place.processes() == [])


#: It goes on when its input ends, and when it is told to end.
STUBBORN = PLAIN + """
import pathlib, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(__file__).with_name("ignored").touch()
while True:
    signal.pause()
"""

STOPPED = """
import signal, sys, mcp_twin
# Also where the tests run in the background of a shell, which has this ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
command, folder = sys.argv[1:3]
with mcp_twin.Twin([sys.executable, command], cwd=folder, home=folder + "/home", env={"MCP_TWIN_TEST": folder}) as twin:
    try:
        twin.stop()
        print("stopped", flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.stdin.readline()
        raise
"""


def test_ctrl_c_interrupts_a_stop_that_takes_long(place):
    place.script.write_text(STUBBORN)
    code = [sys.executable, "-c", STOPPED, str(place.script), str(place.folder)]
    with subprocess.Popen(code, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            # In the wait itself: the server has seen the end of its input, and ignores it.
            until((place.folder / "ignored").exists)
            assert place.processes()
            child.send_signal(signal.SIGINT)
            assert child.stdout.readline() == "interrupted\n"
            # What was begun goes on, with KILL at its end; Python waits for it before it ends.
            _, said = child.communicate("go on\n", timeout=PATIENCE)
        finally:
            child.kill()
    assert child.returncode == -signal.SIGINT and "KeyboardInterrupt" in said, said
    assert place.processes() == []
