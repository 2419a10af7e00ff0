"""Which callable serves the web, read from an app's files."""

from pathlib import Path

import pytest
from hythe_python import server, web

DJANGO = 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n'

CASES = {
    "flask": ({"app.py": "from flask import Flask\napp = Flask(__name__)"}, "app:app wsgi"),
    "flask by module": ({"app.py": "import flask\nsite = flask.Flask('x')"}, "app:site wsgi"),
    "an alias": ({"app.py": "from flask import Flask as F\napp = F('x')"}, "app:app wsgi"),
    "fastapi": ({"main.py": "import fastapi\napi: App = fastapi.FastAPI()"}, "main:api asgi"),
    "starlette in a try": ({"app.py": "try:\n  app = Starlette()\nexcept X: pass"}, "app:app asgi"),
    "falcon": ({"app.py": "import falcon\napp = falcon.App()"}, "app:app wsgi"),
    "falcon.asgi": ({"app.py": "import falcon.asgi\napp = falcon.asgi.App()"}, "app:app asgi"),
    "bare wsgi": ({"wsgi.py": "def app(environ, start_response): ..."}, "wsgi:app wsgi"),
    "bare asgi": ({"asgi.py": "async def app(scope, receive, send): ..."}, "asgi:app asgi"),
    "preferred name": ({"app.py": "admin = Flask('a')\napp = Flask('b')"}, "app:app wsgi"),
    "factory": ({"app.py": "def create_app():\n return Flask('x')"}, "app:create_app wsgi factory"),
    "asgi factory": ({"app.py": "def get_app(x=1):\n return Quart()"}, "app:get_app asgi factory"),
    "made by its factory": (
        {"app.py": "def create_app():\n  return FastAPI()\napp = create_app()"}, "app:app asgi",
    ),
    "imported": ({"wsgi.py": "from shop import app", "shop.py": "app = Quart()"}, "wsgi:app asgi"),
    "a package": ({"app/__init__.py": "", "app/main.py": "app = FastAPI()"}, "app.main:app asgi"),
    "django": (
        {"manage.py": DJANGO, "shop/wsgi.py": "application = get_wsgi_application()"},
        "shop.wsgi:application wsgi",
    ),
    "app.py wins": ({"main.py": "app = FastAPI()", "app.py": "app = Flask('x')"}, "app:app wsgi"),
    "under main only": ({"app.py": "if __name__ == '__main__':\n  app = Flask('x')"}, None),
    "nothing": ({"app.py": "print('hello')"}, None),
    "a factory with arguments": ({"app.py": "def create_app(config):\n  return Flask('x')"}, None),
    "a syntax error": ({"app.py": "def app(:"}, None),
    "another function": ({"app.py": "def add(a, b): ..."}, None),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_inference(name: str, tmp_path: Path) -> None:
    files, expected = CASES[name]
    for file, content in files.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(content)
    found = web.find(tmp_path)
    told = found and f"{found.module}:{found.name} {found.kind}" + " factory" * found.factory
    assert told == expected


def test_factories_are_called_by_the_server() -> None:
    wsgi = web.Served("app", "create_app", "wsgi", "app.py", factory=True)
    asgi = web.Served("app", "create_app", "asgi", "app.py", factory=True)
    assert server.command(wsgi).endswith(" 'app:create_app()'")
    assert server.command(asgi).endswith(" --factory app:create_app")
