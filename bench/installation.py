"""A whole installation in a folder of its own, on ports of its own, driven as a person would.

The benchmarks and tests/e2e share it.
"""

import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import belongings

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
GIT_WHO = {
    **{f"GIT_{who}_NAME": "Somebody" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "somebody@example.com" for who in ("AUTHOR", "COMMITTER")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
}


@dataclass(frozen=True)
class Answer:
    """A response of an app, through the router."""

    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


class Installation:
    """Start it with `up`, and end it with `remove`."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.http_port, self.api_port, https_port = free_port(), free_port(), free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HYTHE_")},
            **GIT_WHO,
            "HYTHE_HOME": str(home),
            "HYTHE_HTTP_PORT": str(self.http_port),
            "HYTHE_HTTPS_PORT": str(https_port),
            "HYTHE_API_PORT": str(self.api_port),
            "CI": "true",
            **settings,
        }

    def up(self, *options: str) -> str:
        return self.run(str(ROOT / "bin" / "up"), "--yes", "--detach", *options, timeout=1200)

    def down(self) -> str:
        return self.run(str(ROOT / "bin" / "down"), timeout=120)

    def hythe(self, *arguments: str, folder: Path | None = None, fails: bool = False) -> str:
        """Run bin/hythe and return what it printed; `fails` says that it must not succeed."""
        command = [str(ROOT / "bin" / "hythe"), *arguments]
        return self.run(*command, folder=folder, fails=fails)

    def run(
        self, *command: str, folder: Path | None = None, fails: bool = False, timeout: float = 300
    ) -> str:
        done = subprocess.run(
            command,
            cwd=folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        if (done.returncode != 0) is not fails:
            raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}")
        return done.stdout

    def project(self, app: str, example: str, folder: Path) -> "Project":
        """Create an app, and a repository with a copy of an example that can be pushed to it."""
        shutil.copytree(EXAMPLES / example, folder)
        project = Project(self, app, folder)
        self.hythe("apps:create", app, folder=folder)
        self.run("git", "init", "-q", "-b", "main", folder=folder)
        self.hythe("git:remote", "-a", app, folder=folder)
        project.commit("First")
        return project

    def get(self, app: str, path: str = "/", timeout: float = 10) -> Answer:
        """Ask an app through the router; raises OSError when the router does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=timeout)
        try:
            connection.request("GET", path, headers={"Host": f"{app}.localhost"})
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, text)
        except http.client.HTTPException as error:
            raise OSError(f"the router answered nonsense: {error!r}") from error
        finally:
            connection.close()

    def pid(self, program: str) -> int:
        """The process of `control-plane`, `router` or `supervisor`."""
        return int((self.home / "run" / f"{program}.pid").read_text().split()[0])

    @property
    def id(self) -> str:
        return str(json.loads((self.home / "installation").read_text())["id"])

    def remove(self) -> None:
        """Stop it, and remove all that it left on the engine."""
        self.down()
        if not (self.home / "installation").exists():
            return
        belongings.remove(belongings.of_installation(self.id), f"hythe-{self.id}/")

    def containers(self, app: str, part: str, *, running: bool = False) -> list[str]:
        """The names of an app's containers of a part: `build`, `release`, `web`."""
        mine = belongings.of_installation(self.id)
        found = belongings.names(mine, running=running)
        return [name for name in found if f".{app}.{part}." in name]


@dataclass(frozen=True)
class Project:
    """A repository with an app's code and a remote named `hythe`."""

    installation: Installation
    app: str
    folder: Path

    def commit(self, message: str) -> None:
        self.installation.run("git", "add", "-A", folder=self.folder)
        self.installation.run("git", "commit", "-q", "-m", message, folder=self.folder)

    def push(self, ref: str = "main", *, fails: bool = False) -> str:
        """`git push`; returns everything that it printed."""
        return self.installation.run("git", "push", "hythe", ref, folder=self.folder, fails=fails)

    def hythe(self, *arguments: str, fails: bool = False) -> str:
        return self.installation.hythe(*arguments, folder=self.folder, fails=fails)

    def get(self, path: str = "/") -> Answer:
        return self.installation.get(self.app, path)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Any, seconds: float = 30) -> Any:
    """Call condition until it returns something true, and return that; else AssertionError."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not true within {seconds} s: {condition}")
        time.sleep(0.05)
    return value
