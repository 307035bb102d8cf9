"""A server over HTTP: its command has ``{port}`` in it. And saves that are followed by themselves."""

import shutil
import sys
from pathlib import Path

import pytest
from patience import heard

from mcp_twin import StartError, Twin
from mcp_twin.session import Session

EXAMPLE = Path(__file__).parents[2] / "examples/http-server.py"


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_a_server_over_http_is_swapped_under_an_open_session(place, mode):
    script = shutil.copy(EXAMPLE, place.folder)
    good = EXAMPLE.read_text()

    def save(version):
        Path(script).write_text(good.replace('VERSION = "1.0.0"', f'VERSION = "{version}"'))

    with Twin([sys.executable, script, "--port", "{port}"], **place.more) as twin, Session(twin.url, mode) as client:

        def served():
            return client.call_tool("whoami").split(",")[0]

        url, first = twin.url, twin.status().active
        assert served() == "version 1.0.0" and first.port
        save("2.0.0")
        standby = twin.reload().standby
        assert standby.port not in (None, first.port) and served() == "version 1.0.0"
        swapped = twin.swap()
        assert (swapped.kind, swapped.active.port, served()) == ("swapped", standby.port, "version 2.0.0")
        assert twin.rollback().active.port == first.port and served() == "version 1.0.0"
        Path(script).write_text("raise SystemExit('broken')")
        with pytest.raises(StartError) as failed:
            twin.swap()
        assert "broken" in failed.value.stderr_tail and served() == "version 1.0.0"
        save("3.0.0")
        assert twin.swap().kind == "swapped" and served() == "version 3.0.0"
        assert twin.url == url and twin.status().url == url
    assert place.processes() == []


def test_a_save_is_followed_where_that_was_asked_for(place):
    with Twin(place.command, watch=True, **place.more) as twin, Session(twin.url, "legacy") as client:
        events = twin.events()
        place.save(2)
        swapped = heard(events, "swapped", "failed")
        assert (swapped.kind, swapped.previous, swapped.generation) == ("swapped", 1, 2)
        assert client.call_tool("version") == "2"
        place.script.write_text("raise SystemExit('broken')")
        failed = heard(events, "swapped", "failed")
        assert failed.kind == "failed" and "broken" in failed.error.stderr_tail
        # The first answer after it says so, too.
        assert client.call_tool("version").startswith("2\nmcp-twin: the newest code")
    assert place.processes() == []
