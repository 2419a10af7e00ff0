"""What an app can reach from inside: the internet's side and itself, not its neighbours."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.installation import Installation, Project

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

PROBE = '''
import json, os, socket
from urllib.parse import parse_qs


def application(environ, start_response):
    """Try to connect to ?to=HOST:PORT, and tell who we are."""
    said = {"address": socket.gethostbyname(socket.gethostname()), "user": os.getuid()}
    said["gateway"] = said["address"].rsplit(".", 1)[0] + ".1"
    with open("/proc/self/status") as status:
        said["capabilities"] = [line.split()[1] for line in status if line.startswith("CapEff")][0]
    to = parse_qs(environ["QUERY_STRING"]).get("to")
    if to:
        host, port = to[0].split(":")
        try:
            socket.create_connection((host, int(port)), timeout=3).close()
            said["outcome"] = "connected"
        except OSError as error:
            said["outcome"] = type(error).__name__
    start_response("200 OK", [])
    return [json.dumps(said).encode()]
'''


@pytest.fixture(scope="module")
def probes(
    installation: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Project, Project]]:
    """Two apps."""
    made = [probing(installation, name, tmp_path_factory.mktemp(name)) for name in ("one", "two")]
    yield made[0], made[1]
    for project in made:
        project.hythe("apps:destroy", "--confirm", project.app)


def probing(installation: Installation, name: str, folder: Path) -> Project:
    project = installation.project(f"probe-{name}", "wsgi-bare", folder / "app")
    (project.folder / "wsgi.py").write_text(PROBE)
    project.commit("Probe")
    project.push()
    return project


@pytest.fixture
def probe(probes: tuple[Project, Project]) -> Project:
    return probes[0]


@pytest.fixture
def open_port() -> Iterator[int]:
    """A server of the host on all addresses."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        threading.Thread(target=_accept, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def _accept(server: socket.socket) -> None:
    while True:
        try:
            server.accept()[0].close()
        except OSError:
            return


def reach(project: Project, host: str, port: int) -> str:
    return str(json.loads(project.get(f"/?to={host}:{port}").text)["outcome"])


def test_an_app_reaches_itself_but_no_other_app(probes: tuple[Project, Project]) -> None:
    probe, other = probes
    mine = json.loads(probe.get().text)["address"]
    theirs = json.loads(other.get().text)["address"]
    assert reach(probe, mine, 5000) == "connected"
    assert reach(probe, theirs, 5000) != "connected"


def test_an_app_reaches_no_port_of_the_host(probe: Project, open_port: int) -> None:
    gateway = json.loads(probe.get().text)["gateway"]
    with socket.create_connection(("127.0.0.1", open_port), timeout=3):
        pass  # it does listen
    assert reach(probe, gateway, open_port) == "ConnectionRefusedError"
    assert reach(probe, gateway, 22) == "ConnectionRefusedError"


def test_an_app_does_not_reach_the_control_plane(probe: Project) -> None:
    gateway = json.loads(probe.get().text)["gateway"]
    assert reach(probe, gateway, probe.installation.api_port) != "connected"
    router = probe.installation.get("127.0.0.1", "/v1/apps")
    assert router.status == 404


def test_cloud_metadata_is_refused(probe: Project) -> None:
    assert reach(probe, "169.254.169.254", 80) == "ConnectionRefusedError"


def test_a_buildpack_app_is_nobody_special(probe: Project) -> None:
    said = json.loads(probe.get().text)
    assert said["user"] == 1000
    assert int(said["capabilities"], 16) == 0
