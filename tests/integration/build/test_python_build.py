"""Real Python apps, built by the stage, and started as instances are."""

import subprocess
import sys
from pathlib import Path

import pytest
from integration.build.conftest import Builds
from integration.build.running import get, running

from hythe.model import Build

UV = Path(sys.executable).with_name("uv")
pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("stage"),
    pytest.mark.one_database("it is about containers"),
]

FLASK = """
from flask import Flask
app = Flask(__name__)

@app.get("/")
def hello():
    return "one"
"""

FASTAPI = """
from fastapi import FastAPI, WebSocket
app = FastAPI()

@app.get("/")
async def hello():
    return "one"

@app.websocket("/echo")
async def echo(socket: WebSocket):
    await socket.accept()
    await socket.send_text(await socket.receive_text())
"""

BARE = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"one"]
"""


def parent(builds: Builds, build: Build) -> tuple[str, ...]:
    """The layers below the app's own."""
    image = builds.engine.images.find(build.image or "")
    assert image
    return image.layers[:-1]


def test_a_code_only_push_reuses_the_dependency_layers(builds: Builds) -> None:
    files = {"requirements.txt": "flask\n", "app.py": FLASK}
    first = builds.succeed(files)
    with running(builds, first) as container:
        assert get(builds, container) == "one"
    second = builds.succeed(files | {"app.py": FLASK.replace("one", "two")})
    with running(builds, second) as container:
        assert get(builds, container) == "two"
    assert parent(builds, first) == parent(builds, second)
    third = builds.succeed(files | {"requirements.txt": "flask\nbottle\n"})
    assert parent(builds, third) != parent(builds, second)


def test_the_transcript_tells_what_was_done(builds: Builds) -> None:
    deployment, _ = builds.build({"requirements.txt": "flask\n", "app.py": FLASK})
    text = builds.transcript(deployment.id)
    for line in (
        "-----> Python app detected",
        "-----> Installing dependencies with uv",
        "-----> No web process declared; serving the WSGI callable `app` in app.py",
        "-----> Discovering process types",
        "       Default types -> web",
    ):
        assert line in text.splitlines()


def test_a_bare_callable_needs_nothing_else(builds: Builds) -> None:
    build = builds.succeed({"wsgi.py": BARE})
    with running(builds, build) as container:
        assert get(builds, container) == "one"


def test_an_asgi_app_gets_a_server_that_speaks_websocket(builds: Builds) -> None:
    from websockets.sync.client import connect

    build = builds.succeed({"requirements.txt": "fastapi\n", "main.py": FASTAPI})
    with running(builds, build) as container:
        assert get(builds, container) == '"one"'
        with connect(f"ws://{container.address}:5000/echo") as socket:
            socket.send("hello")
            assert socket.recv() == "hello"


def test_a_uv_lock_decides_what_is_installed(builds: Builds) -> None:
    project = '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\n'
    project += 'dependencies = ["flask"]\n'
    builds.source.mkdir(parents=True)
    (builds.source / "pyproject.toml").write_text(project)
    subprocess.run([str(UV), "lock", "-q"], cwd=builds.source, check=True, timeout=60)
    lock = (builds.source / "uv.lock").read_text()
    files = {"pyproject.toml": project, "uv.lock": lock, "app.py": FLASK}
    with running(builds, builds.succeed(files)) as container:
        assert get(builds, container) == "one"
    stale = files | {"pyproject.toml": project.replace('"flask"', '"flask", "bottle"')}
    assert builds.fail(stale).error_fix == "Run `uv lock` and commit uv.lock."


def test_procfile_processes_get_the_apps_environment(builds: Builds) -> None:
    command = (
        "worker: echo \"$HYTHE_INSTANCE $(python -c 'import bottle; print(bottle.__name__)')\"\n"
    )
    build = builds.succeed({"requirements.txt": "bottle\n", "Procfile": command})
    assert build.processes and list(build.processes) == ["worker"]
    with running(builds, build, "worker") as container:
        assert builds.engine.instances.wait(container.id, 20) == 0
        assert list(builds.engine.instances.logs(container.id)) == ["worker.1 bottle"]


def test_the_operators_settings_do_not_reach_the_image(builds: Builds) -> None:
    build = builds.succeed({"requirements.txt": "bottle\n", "app.py": BARE})
    image = builds.engine.images.find(build.image or "")
    assert image
    assert set(image.env) == {"PATH", "LANG", "CNB_STACK_ID", "CNB_LAYERS_DIR", "CNB_APP_DIR"}


def test_a_build_sees_only_its_own_config_and_prints_no_secret_of_it(builds: Builds) -> None:
    builds.configure("TOKEN", "sesame99", build=True)
    builds.configure("BP_LEVEL", "eleven11", build=False)
    builds.configure("RUNTIME", "nothere1", build=False)
    tell = (
        "import os; raise SystemExit([os.environ.get(k) for k in ('TOKEN', 'BP_LEVEL', 'RUNTIME')])"
    )
    files = {"requirements.txt": "./package\n", "package/setup.py": tell, "app.py": BARE}
    deployment = builds.fail(files)
    text = builds.transcript(deployment.id)
    assert "['[secret]', 'eleven11', None]" in text
    assert "could not be built" in (deployment.error_cause or "")


def test_bytecode_is_hash_based_and_unchecked(builds: Builds) -> None:
    build = builds.succeed(
        {"requirements.txt": "bottle\n", "app.py": BARE, "Procfile": "t: sleep 60"}
    )
    look = (
        "import glob; files = glob.glob('/workspace/__pycache__/*.pyc')"
        " + glob.glob('/layers/*/venv/lib/*/site-packages/__pycache__/bottle*.pyc');"
        "print(len(files), {open(f, 'rb').read(8)[4] for f in files})"
    )
    with running(builds, build, "t") as container:
        done = builds.engine.sessions.run(container.id, ["python3", "-c", look])
        assert done.output.strip() == "2 {1}"
