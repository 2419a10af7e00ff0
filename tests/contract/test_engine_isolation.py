"""What an app's containers can reach, on a real engine with a real firewall."""

import http.server
import os
import socket
import subprocess
import sys
import threading
import time
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
FETCH = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3) as server:
    server.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    print(server.makefile().read())
"""


@dataclass
class App:
    """A web server in a network of its own."""

    kit: Kit
    container: Container
    gateway: str
    network: str

    @property
    def address(self) -> str:
        assert self.container.address
        return self.container.address

    @property
    def url(self) -> str:
        return f"http://{self.address}:5000/"

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
def host_server(address: str = "0.0.0.0") -> Iterator[int]:
    """A server on all addresses of the host, as a careless program of the host would be."""
    kind = Server6 if ":" in address else http.server.ThreadingHTTPServer
    with kind((address, 0), Hello) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


class Server6(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello from the host")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def other_machine(app: App) -> Iterator[str]:
    """A network namespace that routes to the app through this host, which forwards for it."""
    name = f"{app.kit.prefix}far"
    near, far = f"v{app.kit.prefix}0", f"v{app.kit.prefix}1"  # no bridge of an app is named so
    subnet = app.gateway.rpartition(".")[0] + ".0/24"
    forward = ("-i", near, "-j", "ACCEPT")  # last, as where the policy is to forward
    host("ip", "netns", "add", name)
    try:
        host("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
        host("ip", "address", "add", "10.214.255.1/30", "dev", near)
        host("ip", "link", "set", near, "up")
        host("iptables", "-w", "10", "-A", "FORWARD", *forward)
        host("ip", "-n", name, "address", "add", "10.214.255.2/30", "dev", far)
        host("ip", "-n", name, "link", "set", far, "up")
        host("ip", "-n", name, "route", "add", subnet, "via", "10.214.255.1")
        yield f"/var/run/netns/{name}"
    finally:
        subprocess.run(["iptables", "-w", "10", "-D", "FORWARD", *forward], capture_output=True)
        host("ip", "netns", "delete", name)


def fetch_from(namespace: str, address: str, port: int) -> str:
    """What a program in a network namespace gets over HTTP, or why it gets nothing."""
    fetch = [sys.executable, "-c", FETCH, address, str(port)]
    done = subprocess.run(
        ["nsenter", f"--net={namespace}", *fetch],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    return done.stdout


def host(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def table() -> list[str]:
    return host("iptables", "-S").splitlines()


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


def test_other_machines_do_not_reach_an_app_through_the_host(kit: Kit) -> None:
    app = make_app(kit)
    with other_machine(app) as machine:
        assert "hello" in fetch_from(machine, app.address, 5000)  # what isolation is for
        kit.instances.isolate(kit.prefix, [5000])
        assert REFUSED in fetch_from(machine, app.address, 5000)


def test_app_reaches_no_port_of_the_host_over_ipv6(kit: Kit) -> None:
    """A bridge has a link-local address, and some engines give one to containers."""
    app = make_app(kit)
    namespace = f"/proc/{app.container.pid}/ns/net"
    bridge = host("ip", "-o", "route", "get", app.address).split(" dev ")[1].split()[0]
    switch = "echo 0 > /proc/sys/net/ipv6/conf/{}/disable_ipv6"
    host("sh", "-c", switch.format(bridge))
    host("nsenter", f"--net={namespace}", "sh", "-c", switch.format("eth0"))
    gateway = f"{link_local(bridge)}%eth0"
    with host_server("::") as port:
        assert until_answered(namespace, gateway, port)  # what isolation is for
        kit.instances.isolate(kit.prefix, [])
        assert "hello" not in fetch_from(namespace, gateway, port)


def link_local(device: str) -> str:
    """The device's own address, once it is known that nobody else has it."""
    for _ in range(100):
        words = host("ip", "-6", "-o", "address", "show", "dev", device, "scope", "link").split()
        if "inet6" in words and "tentative" not in words:
            return words[words.index("inet6") + 1].partition("/")[0]
        time.sleep(0.05)
    raise AssertionError(f"{device} has no link-local address")


def until_answered(namespace: str, address: str, port: int) -> bool:
    """Whether the host answers, once the container's own address is settled."""
    for _ in range(20):
        if "hello" in fetch_from(namespace, address, port):
            return True
        time.sleep(0.2)
    return False


def test_strangers_in_one_network_do_not_reach_each_other(kit: Kit) -> None:
    name, bridge = kit.name(), f"{kit.prefix}-build"
    kit.instances.ensure_network(name, bridge, SUBNETS, kit.labels, neighbours=False)
    first, second = (App(kit, kit.started(SERVE, network=name), "", name) for _ in range(2))
    assert "hello" in second.fetch(second.url)
    assert "hello" not in first.fetch(second.url)


def test_repeated_isolation_changes_nothing(kit: Kit) -> None:
    kit.instances.isolate(kit.prefix, [8080])
    before = [line for line in table() if kit.prefix in line]
    kit.instances.isolate(kit.prefix, [8080])
    assert [line for line in table() if kit.prefix in line] == before


def test_isolation_with_other_ports_replaces_them(kit: Kit) -> None:
    kit.instances.isolate(kit.prefix, [8080])
    kit.instances.isolate(kit.prefix, [9090])
    ours = [line for line in table() if chains(kit.prefix)[0] in line]
    assert any("9090" in line for line in ours)
    assert not any("8080" in line for line in ours)


def test_isolation_comes_back_after_a_flush(kit: Kit) -> None:
    kit.instances.isolate(kit.prefix, [8080])
    before = [line for line in table() if kit.prefix in line]
    kit.instances.unisolate(kit.prefix)
    assert not any(kit.prefix in line for line in table())
    kit.instances.unisolate(kit.prefix)
    kit.instances.isolate(kit.prefix, [8080])
    assert [line for line in table() if kit.prefix in line] == before
