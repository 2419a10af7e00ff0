"""bin/bench build: how long builds take, beside `docker build` of the usual two-step Dockerfile.

Ours and docker's are measured in turns. Times of ours are those of the build's row, from the claim
to the finished image; docker's are of the command. Both fetch packages from the same index.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

import docker.errors
import requests

from bench import belongings, packages
from bench.by_hand import ByHand, engine, run
from bench.figure import Figure, ratios
from bench.installation import Installation, Project, until
from bench.push import newest, note, start_to_first_200
from hythe.cli.output import time_of

RATE, WINDOW = 200, 6.0  # requests a second, seconds
FAILURES = (AssertionError, OSError, subprocess.SubprocessError, docker.errors.DockerException,
            requests.RequestException)  # fmt: skip


def measure(pairs: int, *, parts: Collection[str] = (), quick: bool = False) -> list[Figure]:
    """All parts, or those named, on an installation of its own, which is removed afterwards.

    A part that fails is a figure that is not met; the others are measured. `quick` shows that they
    run: one pair, whose figures say little.
    """
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="hythe-bench-") as folder:
        installation = Installation(Path(folder) / "home")
        try:
            note("starting an installation")
            installation.up("--no-example")
            bench = Bench(installation, Path(folder), 1 if quick else pairs)
            try:
                for name, part in PARTS.items():
                    if not parts or name in parts:
                        figures += _tried(name, part, bench)
            finally:
                bench.remove()
        finally:
            installation.remove()
    return figures


def _tried(name: str, part: Callable[["Bench"], list[Figure]], bench: "Bench") -> list[Figure]:
    """The figures of a part, told of as soon as they are there."""
    try:
        figures = part(bench)
    except FAILURES as error:
        note(f"the part {name} failed: {error}")
        figures = [Figure(f"the part {name} failed", [1], "times", ("=", 0))]
    for figure in figures:
        note("  ".join(figure.row()).rstrip())
    return figures


class Bench:
    """What the parts share: apps, and the images made by hand."""

    def __init__(self, installation: Installation, folder: Path, pairs: int) -> None:
        self.installation = installation
        self.folder = folder
        self.pairs = pairs
        self.added = 0  # dependencies of the Flask app beyond the first ones

    @cached_property
    def by_hand(self) -> ByHand:
        label = f"io.hythe.bench={self.installation.id}"
        return ByHand(self.folder / "by-hand", label, f"hythe-bench-{self.installation.id}")

    @cached_property
    def flask(self) -> Project:
        """The Flask app, deployed: `dependencies` leaves its last one here."""
        note("deploying the Flask app")
        project = self.project("flask", packages.flask(0))
        self.deploy(project)
        return project

    def remove(self) -> None:
        if "by_hand" in self.__dict__:
            self.by_hand.remove()

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
        """Commit what changed, if anything, push, and return the build.

        It finds a spare, as any push finds that does not follow another within a second or two.
        """
        self.installation.run("git", "add", "-A", folder=project.folder)
        self.installation.run(
            "git", "commit", "-q", "--allow-empty", "-m", "Next", folder=project.folder
        )
        until(self.spare, seconds=60)
        project.push()
        build: dict[str, Any] = json.loads(project.hythe("builds", "--json", "-n", "1"))[0]
        note(" ".join(f"{step['name']} {step['seconds']:.3f}" for step in build["steps"]))
        return build

    def spare(self) -> bool:
        """Whether there is one that no build has used: those are frozen until they are removed."""
        rows = belongings.containers(belongings.of_installation(self.installation.id), running=True)
        return any(".spare." in row["Name"] and row["State"] == "running" for row in rows)

    def p99(self) -> float:
        """Milliseconds, of the app `served`."""
        window = WINDOW if self.pairs > 1 else WINDOW / 3
        command = [sys.executable, "-m", "bench.openloop", str(self.installation.http_port)]
        found = json.loads(run(*command, str(RATE), str(window), "served.localhost"))
        if found["answered"] < RATE * window * 0.95:
            raise AssertionError(f"only {found['answered']} requests were answered")
        return float(found["p99"])


def dependencies(bench: Bench) -> list[Figure]:
    """First builds, each of an app of its own, docker's, and one more dependency."""
    firsts, theirs, added, images = [], [], [], []
    for number in range(bench.pairs):
        note(f"first build, docker build and one dependency added, {number + 1} of {bench.pairs}")
        project = bench.project(f"flask{number}", packages.flask(0))
        build = bench.deploy(project)
        firsts.append(seconds(build))
        images.append(build["image"])
        theirs.append(bench.by_hand.build(packages.flask(0, number + 1)))
        packages.write(project.folder, packages.flask(0, number + 1))
        added.append(seconds(bench.deploy(project)))
        if "flask" in bench.__dict__:
            bench.flask.hythe("apps:destroy", "--confirm", bench.flask.app)
        bench.flask, bench.added = project, number + 1
    return [
        Figure("docker build, dependencies installed", theirs, "s"),
        Figure("first build, empty cache", firsts, "s"),
        Figure("first build / docker build", ratios(firsts, theirs), "x", ("<=", 0.5)),
        Figure("one dependency added", added, "s"),
        Figure("one dependency added / docker build", ratios(added, theirs), "x", ("<=", 0.25)),
        Figure("image ids of cold builds of one source", [len(set(images))], "", ("=", 1)),
    ]


def flask(bench: Bench) -> list[Figure]:
    project = bench.flask
    return code(bench, "Flask", project, lambda number: packages.flask(number, bench.added))


def express(bench: Bench) -> list[Figure]:
    note("deploying the Express app")
    project = bench.project("express", packages.express(0))
    bench.deploy(project)
    return code(bench, "Express", project, packages.express)


def code(
    bench: Bench, name: str, project: Project, files: Callable[[int], dict[str, str]]
) -> list[Figure]:
    """Changed code, and nothing changed, in turns."""
    changed, same, repeated = [], [], 0
    for number in range(1, bench.pairs + 1):
        note(f"{name}: code only and nothing changed, {number} of {bench.pairs}")
        packages.write(project.folder, files(number))
        build = bench.deploy(project)
        changed.append(seconds(build))
        again = bench.deploy(project)
        same.append(seconds(again))
        repeated += again["image"] == build["image"]
    of = f"of {bench.pairs}"
    return [
        Figure(f"{name}: code-only rebuild", changed, "s", ("<=", 0.5)),
        Figure(f"{name}: nothing changed", same, "s", ("<=", 0.3)),
        Figure(f"{name}: same image id again", [repeated], of, ("=", bench.pairs)),
    ]


def start(bench: Bench) -> list[Figure]:
    """Create to the first 200 of the app that imports everything."""
    with closing(engine()) as client:
        serving = newest(client, bench.flask)["Config"]
        bare = bench.by_hand.without_bytecode(client, serving["Image"])
        withs, withouts = [], []
        for number in range(bench.pairs):
            note(f"first start with and without bytecode, {number + 1} of {bench.pairs}")
            withs.append(start_to_first_200(client, serving, serving["Image"]))
            withouts.append(start_to_first_200(client, serving, bare))
    ratio = ratios(withs, withouts)
    return [
        Figure("first start, 20 imports", withs, "s"),
        Figure("first start without bytecode", withouts, "s"),
        Figure("first start with / without bytecode", ratio, "x", ("<=", 0.35)),
    ]


def size(bench: Bench) -> list[Figure]:
    """Ours and the hand-written image of the same dependencies."""
    if not bench.added:  # else `dependencies` made it just now
        bench.by_hand.build(packages.flask(0))
    with closing(engine()) as client:
        ours = client.api.inspect_image(newest(client, bench.flask)["Image"])["Size"] / 2**20
        theirs = bench.by_hand.size(client)
    return [
        Figure("image", [ours], "MiB"),
        Figure("image by hand", [theirs], "MiB"),
        Figure("image / by hand", [ours / theirs], "x", ("<=", 1.1)),
    ]


def jail(bench: Bench) -> list[Figure]:
    """The p99 of a served app, without and with a build that takes all that it may."""
    bench.deploy(bench.project("served", {"app.py": packages.OK}))
    burner = bench.project(
        "burner", {"app.py": packages.OK, "requirements.txt": "", "bin/pre_compile":
                   packages.BURNER})  # fmt: skip
    burner.commit("First")
    quiet, burning = [], []
    for number in range(bench.pairs):
        note(f"p99 without and with a build, {number + 1} of {bench.pairs}")
        until(bench.spare, seconds=60)
        quiet.append(bench.p99())
        pushing = subprocess.Popen(
            ["git", "push", "-q", "hythe", "main"],
            cwd=burner.folder,
            env=bench.installation.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until(lambda: burns(burner), seconds=60)
            burning.append(bench.p99())
        finally:
            burner.hythe("builds:cancel")
            pushing.wait(60)
    return [
        Figure(f"p99 at {RATE} requests/s", quiet, "ms"),
        Figure(f"p99 at {RATE} requests/s beside a build", burning, "ms"),
        Figure("p99 beside a build / without", ratios(burning, quiet), "x", ("<=", 1.5)),
    ]


PARTS = {
    "dependencies": dependencies,
    "flask": flask,
    "express": express,
    "start": start,
    "size": size,
    "jail": jail,
}


def burns(project: Project) -> bool:
    builds = json.loads(project.hythe("builds", "--json", "-n", "1"))
    if not builds or builds[0]["status"] != "running":
        return False
    return "Burning" in project.hythe("builds:info", str(builds[0]["id"]))


def seconds(build: dict[str, Any]) -> float:
    """From the claim of a build to its finished image."""
    assert build["status"] == "succeeded", build
    return (time_of(build["ended_at"]) - time_of(build["started_at"])).total_seconds()
