"""The protocol cases of kosoku (those of the Autobahn suite) end the same through the router."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from integration.route.rig import make_table, write_table
from websockets.sync.server import serve as serve_websocket

CASES = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*", "12.1.1", "13.1.1"]


@pytest.fixture
def echo_port():
    def echo(socket):
        for message in socket:
            socket.send(message)

    with serve_websocket(echo, "127.0.0.1", 0, max_size=None) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.socket.getsockname()[1]
        server.shutdown()


def run_cases(port: int, folder: Path) -> dict[str, tuple[str, str]]:
    """The verdicts of a run: {case: (behaviour, close)}."""
    include = [argument for case in CASES for argument in ("-i", case)]
    command = [str(Path(sys.executable).parent / "kosoku"), *include, "-p", "8"]
    done = subprocess.run(
        [*command, "-o", str(folder), f"ws://127.0.0.1:{port}"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    report = folder / "index.json"
    assert report.exists(), done.stdout + done.stderr
    (agent,) = json.loads(report.read_text()).values()
    return {
        case: (passed(found["behavior"]), found["behaviorClose"]) for case, found in agent.items()
    }


def passed(behaviour: str) -> str:
    """NON-STRICT counts as OK: it says that an echo was overtaken by the end of a bad connection.

    The echoing server reads in one thread and answers in another, so it decides by itself.
    """
    return "OK" if behaviour == "NON-STRICT" else behaviour


def test_websocket_cases_end_as_without_the_router(echo_port, start_router, tmp_path):
    write_table(tmp_path / "table.json", make_table({"i1": echo_port}, host="127.0.0.1"))
    router = start_router(table=tmp_path / "table.json")
    directly = run_cases(echo_port, tmp_path / "directly")
    assert len(directly) > 200
    through = run_cases(router.port, tmp_path / "through")
    assert {
        case: (directly[case], through[case])
        for case in directly
        if directly[case] != through.get(case)
    } == {}
