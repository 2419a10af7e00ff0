"""docker-compose.yml for real: images built here, brought up, an app pushed through, taken down.

Run by any compose: `COMPOSE=/path/to/docker-compose` or `COMPOSE="docker compose"`.
"""

import http.client
import json
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest
from conftest import missing

from bench import belongings
from bench.installation import EXAMPLES, GIT_WHO, ROOT, free_port, until
from hythe.build import stackmaker
from hythe.build.operator import registries
from hythe.engine.docker.buildkit import BuildKit
from hythe.engine.docker.client import Client
from hythe.engine.port import Engine
from hythe.settings import Settings
from hythe.suite import DEFAULT

pytestmark = [pytest.mark.chaos, pytest.mark.docker]

IMAGE, POSTGRES = "hythe-test/hythe:compose", "hythe-test/postgres:compose"
COMPOSE = os.environ.get("COMPOSE", "docker-compose").split()


@dataclass(frozen=True)
class Stack:
    """A project of docker-compose.yml, on ports of its own."""

    home: Path
    project: str
    http_port: int
    https_port: int
    api_port: int

    def compose(self, *arguments: str) -> str:
        settings = {
            "HYTHE_IMAGE": IMAGE,
            "HYTHE_POSTGRES_IMAGE": POSTGRES,
            "HYTHE_HOME": str(self.home),
            "HYTHE_HTTP_PORT": str(self.http_port),
            "HYTHE_HTTPS_PORT": str(self.https_port),
            "HYTHE_API_PORT": str(self.api_port),
        }
        command = [*COMPOSE, "-f", str(ROOT / "docker-compose.yml"), "-p", self.project]
        return run(*command, *arguments, env=settings)

    def healthy(self) -> bool:
        """Whether all four services say so."""
        label = f"com.docker.compose.project={self.project}"
        found = belongings.containers(label, running=True)
        return ["(healthy)" in each["Status"] for each in found] == [True] * 4

    def hythe(self, *arguments: str) -> str:
        return self.compose("exec", "-T", "control-plane", "hythe", *arguments)

    def get(self, host: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=10)
        connection.request("GET", "/", headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def run(*command: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HYTHE_")}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**kept, **GIT_WHO, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def images(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hythe's image and a stand-in for PostgreSQL's, from the base image that builds use."""
    if shutil.which(COMPOSE[0]) is None:
        missing("compose", "there is no docker-compose (Debian's package of that name).")
    command = BuildKit(Client(None)).command
    if command is None:
        missing("docker", "no docker command here speaks BuildKit.")
    folder = tmp_path_factory.mktemp("images")
    base = stackmaker.ensure(engine, Settings(home=folder), DEFAULT, print).run
    operator = registries()
    pip = {key[4:]: value for key, value in operator.settings().items() if key[:4] == "PIP_"}
    lines = [f"{key.lower().replace('_', '-')} = {value}\n" for key, value in pip.items()]
    (folder / "pip.conf").write_text("".join(["[global]\n", *lines]))
    lent = ["--secret", f"id=pip.conf,src={folder / 'pip.conf'}"]
    if (npmrc := Path.home() / ".npmrc").exists():
        lent += ["--secret", f"id=npmrc,src={npmrc}"]
    if bundle := operator.bundle():
        lent += ["--secret", f"id=ca-certificates.crt,src={bundle}"]
    build = [str(command), "build", "-q", "--build-arg", f"BASE={base}"]
    buildkit = {"DOCKER_BUILDKIT": "1"}
    run(*build, *lent, "-t", IMAGE, str(ROOT), env=buildkit)
    run(*build, "-t", POSTGRES, str(ROOT / "tests" / "compose" / "postgres"), env=buildkit)


@pytest.fixture
def up(images: None, tmp_path: Path) -> Iterator[Stack]:
    project = f"hythetest{secrets.token_hex(3)}"
    up = Stack(tmp_path / "home", project, free_port(), free_port(), free_port())
    try:
        up.compose("up", "-d", "--no-build")
        yield up
    finally:
        print(up.compose("logs", "--no-color", "--tail=60"))
        mine = installation(up)
        up.compose("down", "-v")
        clean(mine)


def installation(up: Stack) -> str:
    query = "SELECT id FROM installation"
    psql = ("psql", "-h", "/run/postgresql", "-U", "hythe", "-tAc", query)
    return up.compose("exec", "-T", "postgres", *psql).strip()


def clean(mine: str) -> None:
    """What `down` leaves on the engine, on purpose: apps go on."""
    belongings.remove(belongings.of_installation(mine), f"hythe-{mine}/")


def replace_a_hanging_worker(up: Stack) -> None:
    """The master may end what runs as another user."""
    container = up.compose("ps", "-q", "router").strip()
    listed = run("docker", "top", container, "-eo", "pid,user,args").splitlines()[1:]
    workers = [line.split()[0] for line in listed if line.split()[1] == "nobody"]
    assert len(workers) == 2, listed
    os.kill(int(workers[0]), signal.SIGSTOP)
    until(lambda: not Path(f"/proc/{workers[0]}").exists(), 60)
    assert up.get("shop.localhost")[0] == 200


def test_an_app_is_pushed_through_the_composed_services(up: Stack, tmp_path: Path) -> None:
    until(up.healthy, 120)
    assert "/setup#code=" in up.hythe("setup:link")
    with urlopen(f"http://127.0.0.1:{up.api_port}/setup", timeout=10) as page:
        assert 'src="/assets/' in page.read().decode()
    assert "shop" in up.hythe("apps:create", "shop")
    token = json.loads(up.hythe("tokens:create", "me", "--json"))["token"]
    folder = tmp_path / "shop"
    shutil.copytree(EXAMPLES / "flask-worker", folder)
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "First"]):
        run("git", *command, cwd=folder)
    url = f"http://hythe:{token}@127.0.0.1:{up.api_port}/shop.git"
    assert "deployed (v1)" in run("git", "push", url, "main", cwd=folder)
    status, body = up.get("shop.localhost")
    assert (status, json.loads(body)["release"]) == (200, "v1")
    until(lambda: "GET" in up.hythe("logs", "-a", "shop", "-s", "router"), 20)

    replace_a_hanging_worker(up)
    up.compose("restart", "control-plane")  # a new container's worth of start, the same home
    until(up.healthy, 120)
    assert up.get("shop.localhost")[0] == 200
    assert "up for" in up.hythe("ps", "-a", "shop")
    up.hythe("backup", str(up.home / "backup.tar.gz"))
    assert (up.home / "backup.tar.gz").stat().st_mode & 0o777 == 0o600


def test_the_image_can_fetch_over_ssh(images: None) -> None:
    assert "OpenSSH" in run("docker", "run", "--rm", "--entrypoint", "ssh", IMAGE, "-V")


def test_the_image_holds_nothing_of_the_builder_s_index(images: None) -> None:
    """Secrets of the build are mounted, never copied."""
    lent = " ".join(registries().settings().values()).split()
    history = run("docker", "history", "--no-trunc", IMAGE)
    files = run("docker", "run", "--rm", "--entrypoint", "sh", IMAGE, "-c",
        "cat /etc/pip.conf /root/.config/pip/pip.conf 2>/dev/null; env; true")  # fmt: skip
    for value in (value for value in lent if "://" in value):
        assert value not in history
        assert value not in files
