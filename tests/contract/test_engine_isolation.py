"""What an app's containers can reach, on a real engine with a real firewall."""

import http.server
import os
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from contract.kit import SUBNETS, Kit

from hythe.engine.docker.firewall import chains
from hythe.engine.port import Container
from hythe.errors import EngineError

pytestmark = pytest.mark.docker
SERVE = ("sh", "-c", "echo hello from an app > /www/index.html; exec httpd -f -p 5000 -h /www")
REFUSED = "Connection refused"


@dataclass
class App:
    """A web server in a network of its own."""

    kit: Kit
    container: Container
    gateway: str
    network: str

    @property
    def url(self) -> str:
        return f"http://{self.container.address}:5000/"

    def fetch(self, url: str) -> str:
        """What a program of the app gets from url, or why it gets nothing."""
        return self.kit.engine.sessions.run(
            self.container.id, ("timeout", "3", "wget", "-q", "-O", "-", url)
        ).output


def make_app(kit: Kit) -> App:
    name, bridge = kit.name(), f"{kit.prefix}{kit.name()[-1]}"
    subnet = kit.instances.ensure_network(name, bridge, SUBNETS, kit.labels)
    container = kit.started(SERVE, network=name)
    return App(kit, container, subnet.replace(".0/24", ".1"), name)


@contextmanager
def host_server() -> Iterator[int]:
    """A server on all addresses of the host, as a careless program of the host would be."""
    with http.server.ThreadingHTTPServer(("0.0.0.0", 0), Hello) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello from the host")

    def log_message(self, *_: object) -> None:
        pass


def table() -> list[str]:
    listed = subprocess.run(["iptables", "-S"], check=True, capture_output=True, text=True)
    return listed.stdout.splitlines()


@pytest.fixture
def kit(docker_kit: Kit) -> Iterator[Kit]:
    try:
        docker_kit.instances.isolate(docker_kit.prefix, [])
    except EngineError as error:
        if "docker" in os.environ.get("HYTHE_REQUIRE", ""):
            raise
        pytest.skip(f"needs a firewall: {error}")
    docker_kit.instances.unisolate(docker_kit.prefix)
    yield docker_kit
    docker_kit.instances.unisolate(docker_kit.prefix)


def test_app_reaches_the_hosts_allowed_ports_only(kit: Kit) -> None:
    app = make_app(kit)
    with host_server() as router, host_server() as other:
        assert "hello" in app.fetch(f"http://{app.gateway}:{other}/")  # what isolation is for
        kit.instances.isolate(kit.prefix, [router])
        assert "hello" in app.fetch(f"http://{app.gateway}:{router}/")
        assert REFUSED in app.fetch(f"http://{app.gateway}:{other}/")


def test_app_reaches_no_other_address_of_the_host(kit: Kit) -> None:
    app, neighbour = make_app(kit), make_app(kit)
    kit.instances.isolate(kit.prefix, [])
    with host_server() as port:
        assert REFUSED in app.fetch(f"http://{app.gateway}:{port}/")
        assert REFUSED in app.fetch(f"http://{neighbour.gateway}:{port}/")


def test_host_still_reaches_the_app(kit: Kit) -> None:
    app = make_app(kit)
    kit.instances.isolate(kit.prefix, [])
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(app.url, timeout=10) as answer:
        assert answer.read() == b"hello from an app\n"


def test_app_does_not_reach_another_app(kit: Kit) -> None:
    app, other = make_app(kit), make_app(kit)
    kit.instances.isolate(kit.prefix, [])
    assert "hello" in other.fetch(other.url)
    assert "hello" not in app.fetch(other.url)


def test_instances_of_one_app_reach_each_other(kit: Kit) -> None:
    app = make_app(kit)
    sibling = App(kit, kit.started(SERVE, network=app.network), app.gateway, app.network)
    kit.instances.isolate(kit.prefix, [])
    assert "hello" in sibling.fetch(app.url)


def test_app_does_not_reach_cloud_metadata(kit: Kit) -> None:
    app = make_app(kit)
    kit.instances.isolate(kit.prefix, [])
    assert REFUSED in app.fetch("http://169.254.169.254/latest/meta-data/")


def test_repeated_isolation_changes_nothing(kit: Kit) -> None:
    kit.instances.isolate(kit.prefix, [8080])
    before = table()
    kit.instances.isolate(kit.prefix, [8080])
    assert table() == before


def test_isolation_with_other_ports_replaces_them(kit: Kit) -> None:
    kit.instances.isolate(kit.prefix, [8080])
    kit.instances.isolate(kit.prefix, [9090])
    ours = [line for line in table() if chains(kit.prefix)[0] in line]
    assert any("9090" in line for line in ours)
    assert not any("8080" in line for line in ours)


def test_isolation_comes_back_after_a_flush(kit: Kit) -> None:
    kit.instances.isolate(kit.prefix, [8080])
    before = table()
    kit.instances.unisolate(kit.prefix)
    assert not any(kit.prefix in line for line in table())
    kit.instances.unisolate(kit.prefix)
    kit.instances.isolate(kit.prefix, [8080])
    assert table() == before
