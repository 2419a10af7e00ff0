"""The Python that runs the app: the stack's own, or one that uv installs into a layer."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from hythe_buildpack.command import run
from hythe_buildpack.layer import Layer
from hythe_buildpack.report import detail, step, stop, warn

from hythe_python import bytecode, version
from hythe_python.version import Asked

STACK_PYTHON = Path("/usr/bin/python3")
STACK = ".".join(map(str, sys.version_info[:3]))


@dataclass(frozen=True)
class Interpreter:
    version: str = STACK  # 3.11.2
    program: Path = STACK_PYTHON

    @property
    def minor(self) -> str:
        return version.minor(self.version)

    @property
    def is_stacks(self) -> bool:
        return self.program == STACK_PYTHON


def provide(app: Path, layers: Path) -> Interpreter:
    """The Python that the app asks for, installed where the stack lacks it; says which."""
    asked = version.asked(app)
    if asked is not None:
        version.refuse_old(asked)
    chosen = version.choose(asked, STACK, ())
    others: list[str] = []
    if chosen is None:
        others = _downloads()
        chosen = version.choose(asked, STACK, others)
    if asked is None:
        detail(f"Using Python {STACK}, the stack's own")
    elif chosen is None:
        _unavailable(asked, others)
    elif chosen != STACK:
        detail(f"Using Python {chosen} ({asked.place} asks for {asked.text})")
        return _install(layers, asked, chosen, others)
    elif asked.allows(STACK):
        detail(f"Using Python {STACK} ({asked.place} asks for {asked.text})")
    else:
        warn(f"{asked.place} asks for Python {asked.text}; the stack's {STACK} is used.")
        warn(f"Debian keeps it secure. Write {version.minor(STACK)} to say that it may.")
    return Interpreter()


def _install(layers: Path, asked: Asked, chosen: str, others: Sequence[str]) -> Interpreter:
    layer = Layer(layers / "python")
    if layer.key() != chosen:
        layer.clear()
        step(f"Installing Python {chosen}")
        env = {"UV_PYTHON_INSTALL_DIR": str(layer.folder), "UV_NO_PROGRESS": "1"}
        code, output = run(["uv", "python", "install", "--no-bin", chosen], env=env, quiet=True)
        if code != 0:
            for line in output.splitlines()[-5:]:
                detail(line)
            _undownloadable(asked, chosen, others)
        bytecode.compile_with(_program(layer, chosen), layer.folder)
    layer.declare(chosen, launch=True)
    return Interpreter(chosen, _program(layer, chosen))


def _program(layer: Layer, chosen: str) -> Path:
    return next(layer.folder.glob(f"cpython-{chosen}-*/bin/python3"))


def _downloads() -> list[str]:
    """The versions that uv knows how to get, the newest first; without pre-releases."""
    command = ["uv", "python", "list", "--only-downloads", "--all-versions"]
    code, output = run([*command, "--output-format", "json"], quiet=True)
    if code != 0:
        return []
    found = {
        tuple(map(int, each["version"].split(".")))
        for each in json.loads(output)
        if each["implementation"] == "cpython" and each["version"].replace(".", "").isdigit()
    }
    return [".".join(map(str, each)) for each in sorted(found, reverse=True)]


def _unavailable(asked: Asked, others: Sequence[str]) -> NoReturn:
    minors = sorted({version.minor(each) for each in others}, key=lambda each: int(each[2:]))
    supported = [each for each in minors if each not in version.END_OF_LIFE]
    stop(
        f"{asked.place} asks for Python {asked.text}; no supported Python fits that.",
        f"Available: {', '.join(supported) or version.without_download(STACK)}. Correct"
        f" {asked.place}.",
    )


def _undownloadable(asked: Asked, chosen: str, others: Sequence[str]) -> NoReturn:
    mirror = os.environ.get("UV_PYTHON_INSTALL_MIRROR")
    stop(
        f"{asked.place} asks for Python {asked.text}; {chosen} could not be downloaded"
        f" {'from UV_PYTHON_INSTALL_MIRROR' if mirror else 'from its project on GitHub'}.",
        f"Available without it: {version.without_download(STACK)}. Ask for one of these in"
        f" {asked.place}; or let the operator {'check' if mirror else 'set'}"
        " UV_PYTHON_INSTALL_MIRROR.",
    )
