"""An installation with a public HYTHE_BIND, and another machine that uses it.

The other machine is a network namespace at the end of a cable of its own.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from bench.installation import GIT_WHO, ROOT, Installation
from hythe.engine.port import Engine

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

HERE, THERE = "10.214.254.1", "10.214.254.2"
NEAR, FAR, NAMESPACE = "vhythe0", "vhythe1", "hythe-far"
ASK = """
import http.client, json, sys
connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=5)
connection.request(sys.argv[3], sys.argv[4], headers={"Host": sys.argv[5]})
answer = connection.getresponse()
print(json.dumps([answer.status, dict(answer.getheaders())]))
"""


@dataclass(frozen=True)
class Machine:
    """The other machine, with a home of its own."""

    home: Path

    def run(self, *command: str, fails: bool = False, stdin: str = "") -> str:
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("HYTHE_")},
            **GIT_WHO,
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home),
        }
        environment.pop("GIT_SSL_CAINFO", None)
        done = subprocess.run(
            ["nsenter", f"--net=/var/run/netns/{NAMESPACE}", *command],
            cwd=self.home,
            env=environment,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert (done.returncode != 0) is fails, done.stdout
        return done.stdout

    def hythe(self, *arguments: str, fails: bool = False, stdin: str = "") -> str:
        command = (sys.executable, "-m", "hythe.cli", *arguments)
        return self.run(*command, fails=fails, stdin=stdin)

    def ask(self, port: int, method: str, path: str, host: str) -> tuple[int, dict[str, str]]:
        said = self.run(sys.executable, "-c", ASK, HERE, str(port), method, path, host)
        status, headers = json.loads(said)
        return status, headers


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    def ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True, capture_output=True)

    subprocess.run(["ip", "netns", "delete", NAMESPACE], capture_output=True)
    ip("netns", "add", NAMESPACE)
    try:
        ip("link", "add", NEAR, "type", "veth", "peer", "name", FAR, "netns", NAMESPACE)
        ip("address", "add", f"{HERE}/30", "dev", NEAR)
        ip("link", "set", NEAR, "up")
        ip("-n", NAMESPACE, "address", "add", f"{THERE}/30", "dev", FAR)
        ip("-n", NAMESPACE, "link", "set", FAR, "up")
        ip("-n", NAMESPACE, "route", "add", "default", "via", HERE)
        yield Machine(tmp_path_factory.mktemp("far"))
    finally:
        ip("netns", "delete", NAMESPACE)


@pytest.fixture(scope="module")
def public(
    engine: Engine, machine: Machine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    home = tmp_path_factory.mktemp("public") / "home"
    installation = Installation(home, HYTHE_BIND=HERE, HYTHE_DOMAIN="example.com")
    try:
        yield installation
    finally:
        installation.remove()


def test_the_way_of_another_machine(public: Installation, machine: Machine) -> None:
    """One test, since each step needs the one before: set up, log in, push, ask, and be refused."""
    said = public.up("--no-example")
    assert f"{public.http_port}  apps, over HTTP" in said
    assert f"{public.environment['HYTHE_HTTPS_PORT']}  apps, over HTTPS" in said
    assert f"{public.api_port}  the control plane, over TLS only" in said
    assert f"Web   https://hythe.example.com:{public.api_port}/setup#code=" in said
    fingerprint = said[said.index("SHA256:") :].split()[0]
    token = public.hythe("tokens:create", "far").split()[0]
    url = f"https://{HERE}:{public.api_port}"

    assert fingerprint in machine.hythe("login", url, fails=True, stdin=token)
    machine.hythe("login", url, "--fingerprint", fingerprint, stdin=token)
    app = machine.home / "app"
    subprocess.run(["cp", "-r", str(ROOT / "examples" / "wsgi-bare"), str(app)], check=True)
    git = ("git", "-C", str(app))
    machine.run(*git, "init", "-q", "-b", "main")
    machine.run(*git, "add", ".")
    machine.run(*git, "commit", "-qm", "First")
    machine.hythe("apps:create", "shop")
    in_app = ("env", "-C", str(app))
    machine.run(*in_app, sys.executable, "-m", "hythe.cli", "git:remote", "-a", "shop")
    assert "deployed (v1)" in machine.run(*git, "push", "hythe", "main")
    assert machine.ask(public.http_port, "GET", "/", "shop.example.com")[0] == 200

    _plain_http_is_refused(public, machine)
    _nothing_is_published(public)
    _apps_are_reached_through_the_router_only(public, machine)


def _plain_http_is_refused(public: Installation, machine: Machine) -> None:
    host = "hythe.example.com"
    status, headers = machine.ask(public.http_port, "GET", "/v1/apps", host)
    assert (status, headers["Location"]) == (307, f"https://{host}:{public.api_port}/v1/apps")
    status, headers = machine.ask(public.http_port, "POST", "/v1/apps", host)
    assert (status, headers["Hythe-Error"]) == (403, "H32")
    status, headers = machine.ask(public.api_port, "POST", "/v1/apps", host)
    assert (status, headers["Hythe-Error"]) == (403, "tls-required")
    remote = f"http://{HERE}:{public.api_port}"
    assert "was not sent" in machine.hythe("login", remote, fails=True, stdin="secret")


def _mine(public: Installation) -> list[dict[str, object]]:
    api = docker.from_env().api
    label = {"label": f"io.hythe.installation={public.id}"}
    return [api.inspect_container(each["Id"]) for each in api.containers(filters=label)]


def _nothing_is_published(public: Installation) -> None:
    """A port that the engine publishes bypasses the host's firewall."""
    containers = _mine(public)
    assert containers
    for container in containers:
        host = container["HostConfig"]
        assert isinstance(host, dict)
        assert not host["PortBindings"] and not host["PublishAllPorts"]
        assert host["NetworkMode"].startswith("hythe-")  # no host network, no default bridge


def _apps_are_reached_through_the_router_only(public: Installation, machine: Machine) -> None:
    [web] = [each for each in _mine(public) if ".web." in str(each["Name"])]
    settings = web["NetworkSettings"]
    assert isinstance(settings, dict)
    [network] = settings["Networks"].values()
    knock = f"import socket; socket.create_connection(({network['IPAddress']!r}, 5000), 3)"
    assert "Error" in machine.run(sys.executable, "-c", knock, fails=True)
