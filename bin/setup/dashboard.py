"""Builds the dashboard from web/ when its sources have changed. Hythe works without it."""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from . import environment, machine, stamp
from .output import step
from .place import CHECKOUT, Place

WEB = CHECKOUT / "web"
BUILT = WEB / "dist" / "index.html"
MODULES = WEB / "node_modules"
STAMP = MODULES / ".hythe.json"
LOCK = WEB / "package-lock.json"
MADE = ("node_modules", "dist")  # folders of web/ that hold no source
GENERATED = WEB / "src" / "api" / "schema.d.ts"

NODE_VENV = environment.VENV / "node"
NODE_LOCK = CHECKOUT / "requirements-node.lock"
OLDEST_NODE = (20, 19)
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def ready() -> bool:
    """Whether what is built comes from the sources as they are now."""
    return BUILT.exists() and stamp.read(STAMP).get("sources") == _digest(_sources())


def build(place: Place) -> None:
    """Build it unless that is done; raises Problem. The stamp is written last."""
    if ready():
        return
    with environment.locked() as held:
        if ready():
            return
        sources = _digest(_sources())
        runner = _Runner.ready(place, held)
        with step("Building the dashboard"):
            runner.npm("run", "build")
        stamp.write(STAMP, sources=sources)


def check(place: Place) -> None:
    """Types, linters and the tests of its pure parts; raises Problem."""
    with environment.locked() as held:
        runner = _Runner.ready(place, held)
        with step("Checking the dashboard"):
            runner.npm("run", "check")


class _Runner:
    """Runs programs whose output goes to a log."""

    @classmethod
    def ready(cls, place: Place, held: int) -> "_Runner":
        """One that has Node and the packages of the lock file."""
        runner = cls(place.logs / "dashboard.log", held)
        runner.log.unlink(missing_ok=True)
        runner.use_node()
        if stamp.read(STAMP).get("lock") != _digest([LOCK]):
            with step("Installing what the dashboard is built with"):
                runner.npm("ci", "--ignore-scripts", "--no-audit", "--no-fund")
            stamp.write(STAMP, lock=_digest([LOCK]))
        return runner

    def __init__(self, log: Path, held: int) -> None:
        self.log = log
        self._held = held
        self._environment = {
            "NODE_EXTRA_CA_CERTS": str(CERTIFICATES),  # npm would trust no company's own proxy
            "NPM_CONFIG_UPDATE_NOTIFIER": "false",
            **os.environ,
            "PYTHON": str(environment.PYTHON),
        }

    def use_node(self) -> None:
        """The machine's Node, or else one from PyPI in an environment of its own."""
        if _node_version() >= OLDEST_NODE and machine.program("npm"):
            return
        folder = NODE_VENV / "bin"
        if not (folder / "node").exists():
            with step("Installing Node.js for the dashboard's build"):
                self._run(sys.executable, "-m", "venv", "--clear", "--without-pip", str(NODE_VENV))
                pip = [str(environment.PYTHON), "-m", "pip", "--python", str(folder / "python")]
                quiet = ["--no-input", "--disable-pip-version-check", "--progress-bar=off"]
                self._run(*pip, "install", *quiet, "--require-hashes", "-r", str(NODE_LOCK))
        self._environment["PATH"] = f"{folder}:{os.environ.get('PATH', os.defpath)}"

    def npm(self, *arguments: str) -> None:
        self._run("npm", *arguments)

    def _run(self, *command: str) -> None:
        """Raises Problem when it fails."""
        with self.log.open("a+") as log:
            begin = log.tell()
            done = subprocess.run(
                command,
                cwd=WEB,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[self._held],
            )
            log.seek(begin)
            output = log.read()
        if done.returncode != 0:
            name = " ".join([Path(command[0]).name, *command[1:2]])
            raise machine.failed(f"`{name}`, for the dashboard,", output, self.log)


def _node_version() -> tuple[int, ...]:
    """Of the Node on the path; (0,) where there is none."""
    node = machine.program("node")
    if node is None:
        return (0,)
    said = subprocess.run([node, "--version"], capture_output=True, text=True).stdout
    return tuple(int(number) for number in re.findall(r"\d+", said)[:2]) or (0,)


def _sources() -> Iterator[Path]:
    """The files that a build reads, in an order of their own."""
    for folder, subfolders, names in os.walk(WEB):
        if Path(folder) == WEB:
            subfolders[:] = [name for name in subfolders if name not in MADE]
        subfolders.sort()
        yield from (path for name in sorted(names) if (path := Path(folder, name)) != GENERATED)


def _digest(files: Iterator[Path] | list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(WEB)} {len(content)}\n".encode() + content)
    return digest.hexdigest()
