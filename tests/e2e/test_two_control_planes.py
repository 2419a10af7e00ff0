"""Two control planes on one PostgreSQL database: one leads, the other takes over."""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from load import Load
from tcp_proxy import Proxy

from bench.installation import ROOT, Installation, Project, free_port, until
from bench.postgres import Server
from hythe.model.lead import LEAD_LOCK

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.postgres]

PYTHON = ROOT / ".venv" / "bin" / "python"
LEADER = (
    f"FROM pg_locks WHERE locktype = 'advisory' AND objid = {LEAD_LOCK} AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@dataclass
class Pair:
    """An installation whose first control plane is bin/up's; the second is started by hand."""

    installation: Installation
    server: Server
    url: str
    proxy: Proxy
    ports: tuple[int, int] = (0, 0)
    second: subprocess.Popen[bytes] | None = None
    token: str = field(default="", repr=False)

    def start_second(self) -> None:
        log = (self.installation.home / "logs" / "second.log").open("ab")
        self.second = subprocess.Popen(
            [PYTHON, "-m", "hythe.serve", "run"],
            env={**self.installation.environment, "HYTHE_API_PORT": str(self.ports[1])},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        until(lambda: self.role(1))

    def pid(self, plane: int) -> int:
        if plane == 0:
            return self.installation.pid("control-plane")
        assert self.second is not None
        return self.second.pid

    def role(self, plane: int) -> str | None:
        """`leader` or `stand-by`; None when it does not answer."""
        try:
            return str(self.ask(plane, "/healthz")[1]["role"])
        except OSError:
            return None

    def leader(self) -> int:
        """Which one leads; waits for one."""
        return int(until(lambda: [n + 1 for n in (0, 1) if self.role(n) == "leader"])[0]) - 1

    def ask(self, plane: int, path: str, body: Any = None) -> tuple[int, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports[plane]}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def statuses(self, project: Project, plane: int) -> list[str]:
        """Of the app's deployments, the newest first."""
        items = self.ask(plane, f"/v1/apps/{project.app}/deployments")[1]["items"]
        return [item["status"] for item in sorted(items, key=lambda item: -item["id"])]

    def cut_leader_off(self) -> None:
        """End the session that holds the lead, as an administrator would."""
        self.server.execute(self.url, f"SELECT pg_terminate_backend(pid) {LEADER}")

    def containers(self, project: Project, part: str) -> list[str]:
        return self.installation.containers(project.app, part, running=True)


@pytest.fixture(scope="module")
def pair(
    engine: object, postgres_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    with postgres_server.database() as url, Proxy("127.0.0.1", postgres_server.port) as proxy:
        through = url.replace(f":{postgres_server.port}/", f":{proxy.port}/")
        installation = Installation(
            tmp_path_factory.mktemp("pair") / "home",
            HYTHE_DATABASE_URL=through,
            HYTHE_BUILD_SPARES="0",
        )
        pair = Pair(installation, postgres_server, url, proxy)
        pair.ports = (installation.api_port, free_port())
        try:
            installation.up("--no-example")
            credentials = json.loads((installation.home / "credentials").read_text())
            pair.token = credentials["token"]
            pair.start_second()
            yield pair
        finally:
            if pair.second is not None:
                pair.second.send_signal(signal.SIGCONT)
                pair.second.terminate()
                pair.second.wait(30)
            installation.remove()


@pytest.fixture(scope="module")
def project(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = pair.installation.project("pair", "wsgi-bare", tmp_path_factory.mktemp("app") / "app")
    project.push()
    return project


def push(project: Project, pair: Pair, plane: int) -> "subprocess.Popen[str]":
    """`git push` to one of the two, in the background."""
    url = f"http://127.0.0.1:{pair.ports[plane]}/{project.app}.git"
    return subprocess.Popen(
        ["git", "-c", f"http.extraHeader=Authorization: Bearer {pair.token}", "push", url, "main"],
        cwd=project.folder,
        env=pair.installation.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for_line(pushing: "subprocess.Popen[str]", words: str) -> None:
    assert pushing.stdout is not None
    seen = []
    for line in pushing.stdout:
        seen.append(line)
        if words in line:
            return
    raise AssertionError(f"{words!r} never came:\n{''.join(seen)}")


def slow_boot(project: Project, text: str) -> None:
    (project.folder / "Procfile").write_text(
        f"web: echo {text} > index.html; sleep 3;"
        " exec python3 -m http.server $PORT --bind 0.0.0.0\n"
    )
    project.commit(text)


def test_both_answer_and_a_push_to_the_one_that_stands_by_deploys(
    pair: Pair, project: Project
) -> None:
    leader = pair.leader()
    other = 1 - leader
    assert pair.role(other) == "stand-by"
    assert pair.ask(other, "/v1/apps")[1]["items"][0]["name"] == project.app
    (project.folder / "more.txt").write_text("more")
    project.commit("Through the other")
    assert pair.ask(other, f"/v1/apps/{project.app}/config")[0] == 200
    pushing = push(project, pair, other)
    out, _ = pushing.communicate(timeout=60)
    assert pushing.returncode == 0, out
    assert pair.statuses(project, other)[0] == "live"


def test_the_other_finishes_a_build_when_the_leader_is_killed(pair: Pair, project: Project) -> None:
    (project.folder / "slow").mkdir()
    (project.folder / "slow" / "setup.py").write_text(
        "import time, setuptools\ntime.sleep(3)\nsetuptools.setup(name='slow', version='1')\n"
    )
    requirements = project.folder / "requirements.txt"
    requirements.write_text("gunicorn==27.0.1\n./slow\n")
    project.commit("A slow build")
    leader = pair.leader()
    with Load(project.get, rate=20) as load:
        pushing = push(project, pair, leader)
        wait_for_line(pushing, "Installing dependencies")
        killed = pair.pid(leader)
        os.kill(killed, signal.SIGKILL)
        if leader == 1:
            pair.second.wait(10)  # type: ignore[union-attr]
        until(lambda: pair.role(1 - leader) == "leader")
        until(lambda: pair.statuses(project, 1 - leader)[0] in ("live", "failed"), 90)
        pushing.communicate(timeout=30)
    assert pair.statuses(project, 1 - leader)[0] == "live"
    assert load.failures == []
    if leader == 1:
        pair.start_second()
    else:
        until(lambda: pair.role(0) == "stand-by", 60)
    requirements.unlink()


def test_a_leader_that_was_stopped_in_a_cut_over_does_nothing_when_it_goes_on(
    pair: Pair, project: Project
) -> None:
    slow_boot(project, "stopped")
    leader = pair.leader()
    other = 1 - leader
    stopped = pair.pid(leader)
    with Load(project.get, rate=20) as load:
        pushing = push(project, pair, leader)
        wait_for_line(pushing, "Starting web.1")
        os.kill(stopped, signal.SIGSTOP)
        try:
            pair.cut_leader_off()
            until(lambda: pair.role(other) == "leader", 15)
            until(lambda: pair.statuses(project, other)[0] == "live", 60)
            until(lambda: len(pair.containers(project, "web")) == 1)
            before = pair.containers(project, "web")
        finally:
            os.kill(stopped, signal.SIGCONT)
        until(lambda: pair.role(leader) == "stand-by")
        time.sleep(2)
        pushing.communicate(timeout=30)
    assert load.failures == []
    assert project.get("/index.html").text == "stopped\n"
    assert pair.containers(project, "web") == before
    assert pair.pid(leader) == stopped  # the same process, as a new image
    assert pair.role(other) == "leader"


def test_a_database_that_is_gone_for_ten_seconds(pair: Pair, project: Project) -> None:
    leader = pair.leader()
    pids = [pair.pid(n) for n in (0, 1)]
    with Load(project.get, rate=20) as load:
        pair.proxy.cut()
        end = time.monotonic() + 10
        answers, broken = [], 0
        while time.monotonic() < end:
            for plane in (0, 1):
                try:
                    answers.append(pair.ask(plane, "/v1/apps"))
                except OSError:
                    broken += 1
            time.sleep(0.3)
        pair.proxy.mend()
        until(lambda: [pair.role(n) for n in (0, 1)].count("leader") == 1, 20)
    assert load.failures == []
    assert broken <= 1  # one that was under way when the leader started over
    assert {status for status, _ in answers} == {503}
    assert {problem["code"] for _, problem in answers} == {"database-away"}
    assert all(problem["detail"] and problem["fix"] for _, problem in answers)
    assert [pair.pid(n) for n in (0, 1)] == pids
    slow_boot(project, "again")
    out, _ = push(project, pair, leader).communicate(timeout=90)
    assert "deployed" in out, out
    assert project.get("/index.html").text == "again\n"


@pytest.mark.chaos
def test_the_installation_moves_to_sqlite_and_back_and_deploys(
    pair: Pair, project: Project
) -> None:
    here = pair.installation
    assert pair.second is not None
    pair.second.terminate()
    assert pair.second.wait(30) == 0
    pair.second = None
    refused = here.hythe("db:move", f"sqlite:///{here.home}/hythe.db", fails=True)
    assert "already serves" in refused
    here.down()
    assert "rows are in sqlite:" in here.hythe("db:move", f"sqlite:///{here.home}/hythe.db")
    left = here.run(str(ROOT / "bin" / "up"), "--yes", "--detach", "--no-example", fails=True)
    assert "left by `hythe db:move`" in left and "Unset HYTHE_DATABASE_URL" in left
    assert "This database was left by `hythe db:move`" in here.hythe(
        "backup", str(here.home.with_name("left.tar.gz")), fails=True
    )
    postgres = here.environment.pop("HYTHE_DATABASE_URL")
    here.up("--no-example")
    until(lambda: project.get("/index.html").text == "again\n")  # the app boots again
    here.hythe("config:set", "-a", project.app, "NAME=on SQLite")
    here.down()
    assert "--replace" in here.hythe("db:move", postgres, fails=True)
    assert "rows are in postgresql:" in here.hythe("db:move", "--replace", postgres)
    here.up("--no-example")  # the home names the database now
    assert "on SQLite" in here.hythe("config:get", "-a", project.app, "NAME")
    slow_boot(project, "back again")
    assert "deployed" in project.push()
    assert project.get("/index.html").text == "back again\n"
