"""The Python server: gunicorn for WSGI, uvicorn for ASGI, in a layer of its own.

The layer lies behind the app's environment on the import path (see environment.py), so a version
that the app asks for itself always wins.
"""

import hashlib
from pathlib import Path

from hythe_buildpack.layer import Layer
from hythe_buildpack.report import detail, stop

from hythe_python import bytecode
from hythe_python.environment import Environment
from hythe_python.web import Served

PINS = Path(__file__).resolve().parents[2] / "servers"
# One worker by default; WEB_CONCURRENCY, which Hythe sets from the memory limit, decides. Threads
# let a slow request and a health check pass each other. Idle connections stay open longer than
# the router's pool keeps them (4 s), so that it never writes into one that is closing.
GUNICORN = (
    "python -m gunicorn --bind {bind} --workers ${{WEB_CONCURRENCY:-1}} --threads 4"
    " --keep-alive 10 --worker-tmp-dir /dev/shm"
)
UVICORN = (
    "python -m uvicorn {bind} --workers ${{WEB_CONCURRENCY:-1}}"
    " --timeout-keep-alive 10 --no-access-log"
)
NAMES = {"wsgi": "gunicorn", "asgi": "uvicorn"}


def command(served: Served, *, port: str = "$PORT", socket: str | None = None) -> str:
    """The command line that serves a callable on a port of all interfaces, or on a Unix socket."""
    target = f"{served.module}:{served.name}"
    if served.kind == "wsgi":
        line = GUNICORN.format(bind=f"unix:{socket}" if socket else f"0.0.0.0:{port}")
        return f"{line} '{target}()'" if served.factory else f"{line} {target}"
    line = UVICORN.format(bind=f"--uds {socket}" if socket else f"--host 0.0.0.0 --port {port}")
    return f"{line} --factory {target}" if served.factory else f"{line} {target}"


def provide(environment: Environment, layers: Path, served: Served) -> None:
    """Install the server unless the app's own environment has all of it."""
    name = NAMES[served.kind]
    layer = Layer(layers / "server")
    if environment.has(name) and (name != "uvicorn" or _speaks_websocket(environment)):
        return
    pins = PINS / f"{name}.txt"
    key = hashlib.sha256(pins.read_bytes() + environment.interpreter.version.encode()).hexdigest()
    if layer.key() == key:
        detail(f"Reusing {name}")
    else:
        layer.clear()
        code, output = environment.uv(
            "pip", "install", "--quiet", "--no-deps", "--require-hashes",
            "--target", str(layer.folder), "-r", str(pins),
        )  # fmt: skip
        if code != 0:
            stop(
                f"{name} could not be installed: {output[-200:]}",
                "Check this machine's package index.",
            )
        bytecode.compile_with(environment.interpreter.program, layer.folder)
        detail(f"Installed {name}, which the app does not name")
    layer.declare(key, launch=True)


def _speaks_websocket(environment: Environment) -> bool:
    return environment.has("websockets") or environment.has("wsproto")
