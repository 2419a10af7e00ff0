"""Which servers stand between the router and the app: four ways, chosen by a line of config.

BP_PYTHON_SERVER   gunicorn (WSGI) or uvicorn (ASGI): the Python server alone, the default
                   mod_wsgi: Apache with the app in a daemon process
                   nginx: nginx in front of the Python server, serving static files itself
BP_FRONT_CACHE     varnish: a cache in front of any of these
"""

import os
from dataclasses import dataclass
from pathlib import Path

from hythe_buildpack import processes
from hythe_buildpack.layer import Layer
from hythe_buildpack.report import detail, stop

from hythe_python import apache, front_nginx, server, varnish
from hythe_python.environment import Environment
from hythe_python.interpreter import STACK, Interpreter
from hythe_python.web import Served

SERVERS = ("gunicorn", "uvicorn", "mod_wsgi", "nginx")
INNER_PORT = "8001"  # of what stands behind a cache; nobody else runs in the instance


@dataclass(frozen=True)
class Architecture:
    server: str | None = None
    cache: str | None = None

    @classmethod
    def read(cls) -> "Architecture":
        """From the environment; stops at a value that is none."""
        chosen = os.environ.get("BP_PYTHON_SERVER") or None
        cache = os.environ.get("BP_FRONT_CACHE") or None
        if chosen not in (None, *SERVERS):
            stop(f"BP_PYTHON_SERVER is '{chosen}'.", f"Set it to one of: {', '.join(SERVERS)}.")
        if cache not in (None, "varnish"):
            stop(f"BP_FRONT_CACHE is '{cache}'.", "Set it to varnish, or unset it.")
        return cls(chosen, cache)

    @property
    def named(self) -> bool:
        return bool(self.server or self.cache)

    def check(self, served: Served, python: Interpreter) -> None:
        """Stop where the server cannot serve this kind of callable, or not by this Python."""
        wrong = {"gunicorn": "asgi", "mod_wsgi": "asgi", "uvicorn": "wsgi"}
        if wrong.get(self.server or "") == served.kind:
            stop(
                f"BP_PYTHON_SERVER is {self.server}, but the {served.described} is"
                f" {served.kind.upper()}.",
                f"Unset it, or set it to nginx or {server.NAMES[served.kind]}.",
            )

        if self.server == "mod_wsgi" and not python.is_stacks:
            stop(
                f"BP_PYTHON_SERVER is mod_wsgi, which Debian has for its own Python only, and the"
                f" app asks for {python.version}.",
                f"Set it to nginx or gunicorn, or ask for Python {STACK}.",
            )

    def line(self, app: Path, layers: Path, environment: Environment, served: Served) -> str:
        """Install what is needed; returns the shell line of the web process."""
        self.check(served, environment.interpreter)
        site = Layer(layers / "site")
        site.clear()
        port = INNER_PORT if self.cache else "$PORT"
        if self.server == "mod_wsgi":
            lines = [apache.provide(app, layers, site.folder, environment, served, port)]
        elif self.server == "nginx":
            server.provide(environment, layers, served)
            lines = front_nginx.provide(app, layers, site.folder, served, port)
        else:
            server.provide(environment, layers, served)
            lines = [server.command(served, port=port)]
        if self.cache:
            lines.append(varnish.provide(layers, site.folder, port))
        for line in lines:
            detail(line if len(line) < 200 else f"{line[:197]}...")
        if len(lines) == 1 and self.server != "mod_wsgi":
            return lines[0]
        site.declare("site", launch=True)
        return processes.together(site.folder / "start", lines)
