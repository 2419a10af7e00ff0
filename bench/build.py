"""bin/bench build: how long builds take, beside `docker build` of the usual two-step Dockerfile.

Ours and docker's are measured in turns. Times of ours are those of the build's row, from the claim
to the finished image; docker's are of the command. Both fetch packages from the same index.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import docker

from bench import packages
from bench.figure import Figure, ratios
from bench.installation import ROOT, Installation, Project, until
from bench.push import newest, note, start_to_first_200
from hythe.build.operator import registries
from hythe.build.stack import recipe
from hythe.cli.output import time_of

RATE, WINDOW = 200, 6.0  # requests a second, seconds
BASE = "hythe-bench/base:1"


def measure(pairs: int) -> list[Figure]:
    """Measure on an installation of its own, which is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="hythe-bench-") as folder:
        installation = Installation(Path(folder) / "home")
        try:
            note("starting an installation")
            installation.up("--no-example")
            with hand_written(Path(folder)) as by_hand:
                bench = Bench(installation, Path(folder), by_hand)
                return [
                    *bench.dependencies(pairs),
                    *bench.code("Flask", packages.flask, pairs),
                    *bench.code("Express", packages.express, pairs),
                    *bench.first_start(pairs),
                    *bench.size(),
                    *bench.jail(pairs),
                ]
        finally:
            installation.remove()


class ByHand:
    """`docker build` of the usual Dockerfile, on the run image with pip."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def build(self, files: dict[str, str], tag: str) -> float:
        """Seconds until the image is there."""
        packages.write(self._folder, files | {"Dockerfile": packages.DOCKERFILE.format(base=BASE)})
        started = time.monotonic()
        run(
            "docker", "build", "--no-cache", "-q", "-t", f"hythe-bench/app:{tag}", str(self._folder)
        )
        return time.monotonic() - started


@contextmanager
def hand_written(folder: Path) -> Iterator[ByHand]:
    """The base with pip, the CA bundle and the index settings; all images go at the end."""
    context = folder / "base"
    context.mkdir()
    operator = registries()
    lines = [f"FROM {recipe().reference('run')}", "USER root"]
    bundle = operator.bundle()
    if bundle is not None:
        (context / "ca.crt").write_bytes(bundle.read_bytes())
        lines += ["COPY ca.crt /etc/ssl/certs/ca-certificates.crt",
                  "ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt"]  # fmt: skip
    lines += ["RUN apt-get update && apt-get install -y --no-install-recommends python3-venv"]
    lines += [f'ENV {name}="{value}"' for name, value in operator.settings().items()]
    (context / "Dockerfile").write_text("\n".join(lines) + "\n")
    note("making a base for the Dockerfile")
    run("docker", "build", "-q", "-t", BASE, str(context))
    app = folder / "by-hand"
    app.mkdir()
    try:
        yield ByHand(app)
    finally:
        listed = run("docker", "images", "-q", "--filter", "reference=hythe-bench/*")
        for image in dict.fromkeys(listed.split()):
            subprocess.run(["docker", "rmi", "-f", image], capture_output=True)


class Bench:
    def __init__(self, installation: Installation, folder: Path, by_hand: ByHand) -> None:
        self.installation = installation
        self.folder = folder
        self.by_hand = by_hand
        self.flask: Project | None = None  # the last one, which has a cache

    def dependencies(self, pairs: int) -> list[Figure]:
        """First builds, each of an app of its own, docker's, and one more dependency."""
        firsts, theirs, added, images = [], [], [], []
        for number in range(pairs):
            note(f"first build, docker build and one dependency added, {number + 1} of {pairs}")
            project = self.project(f"flask{number}", packages.flask(0))
            build = self.deploy(project)
            firsts.append(seconds(build))
            images.append(build["image"])
            theirs.append(self.by_hand.build(packages.flask(0, number + 1), str(number)))
            packages.write(project.folder, packages.flask(0, number + 1))
            added.append(seconds(self.deploy(project)))
            self._forget(self.flask)
            self.flask = project
        return [
            Figure("docker build, dependencies installed", theirs, "s"),
            Figure("first build, empty cache", firsts, "s"),
            Figure("first build / docker build", ratios(firsts, theirs), "x", ("<=", 0.5)),
            Figure("one dependency added", added, "s"),
            Figure("one dependency added / docker build", ratios(added, theirs), "x", ("<=", 0.25)),
            Figure("image ids of cold builds of one commit", [len(set(images))], "", ("=", 1)),
        ]

    def code(self, name: str, files: Any, pairs: int) -> list[Figure]:
        """Changed code, and nothing changed, in turns."""
        if name == "Flask" and self.flask is not None:
            project, version = self.flask, {"added": pairs}
        else:
            project, version = self.project(name.lower(), files(0)), {}
            self.deploy(project)
        changed, same, repeated = [], [], 0
        for number in range(1, pairs + 1):
            note(f"{name}: code only and nothing changed, {number} of {pairs}")
            packages.write(project.folder, files(number, **version))
            build = self.deploy(project)
            changed.append(seconds(build))
            time.sleep(2)  # the spare is started when the rollout is over
            again = self.deploy(project)
            same.append(seconds(again))
            repeated += again["image"] == build["image"]
            time.sleep(2)
        return [
            Figure(f"{name}: code-only rebuild", changed, "s", ("<=", 0.5)),
            Figure(f"{name}: nothing changed", same, "s", ("<=", 0.3)),
            Figure(f"{name}: same image id again", [repeated], f"of {pairs}", ("=", pairs)),
        ]

    def first_start(self, pairs: int) -> list[Figure]:
        """Create to the first 200 of the app that imports everything."""
        assert self.flask is not None
        with closing(docker.from_env()) as engine:
            serving = newest(engine, self.flask)["Config"]
            bare = without_bytecode(engine, serving["Image"])
            withs, withouts = [], []
            for number in range(pairs):
                note(f"first start with and without bytecode, {number + 1} of {pairs}")
                withs.append(start_to_first_200(engine, serving, serving["Image"]))
                withouts.append(start_to_first_200(engine, serving, bare))
        ratio = ratios(withs, withouts)
        return [
            Figure("first start, 20 imports", withs, "s"),
            Figure("first start without bytecode", withouts, "s"),
            Figure("first start with / without bytecode", ratio, "x", ("<=", 0.35)),
        ]

    def size(self) -> list[Figure]:
        """Ours and the hand-written image, both as they would be on the run image."""
        assert self.flask is not None
        with closing(docker.from_env()) as engine:
            image = newest(engine, self.flask)["Image"]
            sizes = {
                name: engine.api.inspect_image(name)["Size"] / 2**20
                for name in (image, BASE, recipe().reference("run"))
            }
            tags = [
                tag for each in engine.api.images("hythe-bench/app") for tag in each["RepoTags"]
            ]
            newest_tag = max(tags, key=lambda tag: int(tag.rpartition(":")[2]))
            theirs = engine.api.inspect_image(newest_tag)["Size"] / 2**20
        theirs += sizes[recipe().reference("run")] - sizes[BASE]
        return [
            Figure("image", [sizes[image]], "MiB"),
            Figure("image by hand", [theirs], "MiB"),
            Figure("image / by hand", [sizes[image] / theirs], "x", ("<=", 1.1)),
        ]

    def jail(self, pairs: int) -> list[Figure]:
        """The p99 of a served app, without and with a build that takes all that it may."""
        self.deploy(self.project("served", {"app.py": packages.OK}))
        burner = self.project(
            "burner", {"app.py": packages.OK, "requirements.txt": "", "bin/pre_compile":
                       packages.BURNER})  # fmt: skip
        burner.commit("First")
        quiet, burning = [], []
        for number in range(pairs):
            note(f"p99 without and with a build, {number + 1} of {pairs}")
            quiet.append(self._p99())
            pushing = subprocess.Popen(
                ["git", "push", "-q", "hythe", "main"],
                cwd=burner.folder,
                env=self.installation.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            until(lambda: self._burns(burner), seconds=60)
            burning.append(self._p99())
            burner.hythe("builds:cancel")
            pushing.wait(60)
        return [
            Figure(f"p99 at {RATE} requests/s", quiet, "ms"),
            Figure(f"p99 at {RATE} requests/s beside a build", burning, "ms"),
            Figure("p99 beside a build / without", ratios(burning, quiet), "x", ("<=", 1.5)),
        ]

    def project(self, name: str, files: dict[str, str]) -> Project:
        """An app with these files and a repository to push."""
        folder = self.folder / name
        folder.mkdir()
        packages.write(folder, files)
        self.installation.hythe("apps:create", name, folder=folder)
        self.installation.run("git", "init", "-q", "-b", "main", folder=folder)
        self.installation.hythe("git:remote", "-a", name, folder=folder)
        return Project(self.installation, name, folder)

    def deploy(self, project: Project) -> dict[str, Any]:
        """Commit what changed, if anything, push, and return the build."""
        self.installation.run("git", "add", "-A", folder=project.folder)
        self.installation.run(
            "git", "commit", "-q", "--allow-empty", "-m", "Next", folder=project.folder
        )
        project.push()
        build: dict[str, Any] = json.loads(project.hythe("builds", "--json", "-n", "1"))[0]
        return build

    def _forget(self, project: Project | None) -> None:
        if project is not None:
            project.hythe("apps:destroy", "--confirm", project.app)

    def _burns(self, project: Project) -> bool:
        builds = json.loads(project.hythe("builds", "--json", "-n", "1"))
        if not builds or builds[0]["status"] != "running":
            return False
        return "Burning" in project.hythe("builds:info", str(builds[0]["id"]))

    def _p99(self) -> float:
        command = [sys.executable, "-m", "bench.openloop", str(self.installation.http_port)]
        command += [str(RATE), str(WINDOW), "served.localhost"]
        latencies = sorted(json.loads(run(*command)))
        if len(latencies) < RATE * WINDOW * 0.95:
            raise AssertionError(f"only {len(latencies)} requests were answered")
        return float(latencies[int(len(latencies) * 0.99)])


def seconds(build: dict[str, Any]) -> float:
    """From the claim of a build to its finished image."""
    assert build["status"] == "succeeded", build
    return (time_of(build["ended_at"]) - time_of(build["started_at"])).total_seconds()


def without_bytecode(engine: Any, image: str) -> str:
    """The same image, but for the bytecode of its dependencies."""
    container = engine.api.create_container(
        image, command=["-c", "find /layers -name '*.pyc' -delete"], entrypoint=["/bin/sh"],
        user="0",
    )["Id"]  # fmt: skip
    try:
        engine.api.start(container)
        engine.api.wait(container)
        made = engine.api.commit(container, "hythe-bench/bare", "1")
        return str(made["Id"])
    finally:
        engine.api.remove_container(container, force=True, v=True)


def run(*command: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900
    )
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return done.stdout
