"""`docker build` of the usual two-step Dockerfile, on Hythe's own run image with pip."""

import subprocess
import time
from functools import cached_property
from pathlib import Path
from typing import Any

import docker

from bench import belongings, packages
from bench.installation import ROOT
from bench.push import note
from hythe.build.operator import registries
from hythe.build.stack import recipe

BUILD_SECONDS = 900


class ByHand:
    """Images of an app that somebody wrote a Dockerfile for; all carry the label."""

    def __init__(self, folder: Path, label: str, name: str) -> None:
        """name: of the images, such as hythe-bench-abc."""
        self._folder, self._label, self._name = folder, label, name
        self._image: str | None = None  # the app's

    @cached_property
    def _base(self) -> str:
        """The run image with pip, the CA bundle and the index settings."""
        note("making a base for the Dockerfile")
        base = f"{self._name}:base"
        _make_base(self._folder / "base", self._label, base)
        return base

    def build(self, files: dict[str, str]) -> float:
        """Seconds until the image is there; the one before is removed."""
        app = self._folder / "app"
        app.mkdir(parents=True, exist_ok=True)
        packages.write(app, files | {"Dockerfile": packages.DOCKERFILE.format(base=self._base)})
        before, self._image = self._image, f"{self._name}:{time.monotonic_ns()}"
        started = time.monotonic()
        _build(app, self._label, self._image, "--no-cache")
        seconds = time.monotonic() - started
        if before:
            run("docker", "rmi", "-f", before)
        return seconds

    def size(self, engine: Any) -> float:
        """MiB of the newest image, as it would be on the run image itself, without pip."""
        assert self._image is not None
        sizes = {
            name: engine.api.inspect_image(name)["Size"] / 2**20
            for name in (self._image, self._base, recipe().reference("run"))
        }
        return float(sizes[self._image] - sizes[self._base] + sizes[recipe().reference("run")])

    def without_bytecode(self, engine: Any, image: str) -> str:
        """Another image, but for the bytecode of its dependencies; returns the new one's name."""
        container = engine.api.create_container(
            image, command=["-c", "find /layers -name '*.pyc' -delete"], entrypoint=["/bin/sh"],
            user="0", labels=dict([self._label.split("=", 1)]),
        )["Id"]  # fmt: skip
        try:
            engine.api.start(container)
            engine.api.wait(container)
            engine.api.commit(container, self._name, "bare")
            return f"{self._name}:bare"
        finally:
            engine.api.remove_container(container, force=True, v=True)

    def remove(self) -> None:
        belongings.remove(self._label, f"{self._name}:")


def _make_base(folder: Path, label: str, name: str) -> None:
    folder.mkdir(parents=True)
    operator = registries()
    lines = [f"FROM {recipe().reference('run')}", "USER root"]
    bundle = operator.bundle()
    if bundle is not None:
        (folder / "ca.crt").write_bytes(bundle.read_bytes())
        lines += ["COPY ca.crt /etc/ssl/certs/ca-certificates.crt",
                  "ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt"]  # fmt: skip
    lines += ["RUN apt-get update && apt-get install -y --no-install-recommends python3-venv"]
    lines += [f'ENV {name}="{value}"' for name, value in operator.settings().items()]
    (folder / "Dockerfile").write_text("\n".join(lines) + "\n")
    _build(folder, label, name)


def _build(folder: Path, label: str, tag: str, *options: str) -> None:
    run("docker", "build", *options, "-q", "--label", label, "-t", tag, str(folder))


def run(*command: str) -> str:
    """Its output; raises AssertionError with what it said when it fails."""
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=BUILD_SECONDS,
    )  # fmt: skip
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def engine() -> Any:
    """A client of the engine, to be closed."""
    return docker.from_env()
