"""Apps of Poetry, pipenv and Django, and hooks: built by the stage, and started."""

import re
import urllib.request
from pathlib import Path

import pytest
from integration.build.conftest import Builds
from integration.build.running import get, running
from locks import PIPFILE, PIPFILE_LOCK, POETRY_1, PYPROJECT

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("stage"),
    pytest.mark.one_database("it is about containers"),
]

EXAMPLE = Path(__file__).parents[3] / "examples" / "django-site"
DJANGO = {
    str(file.relative_to(EXAMPLE)): file.read_text()
    for file in EXAMPLE.rglob("*")
    if file.is_file() and file.suffix != ".pyc"
}
BUILD_SYSTEM = """
[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
"""
APP = """
import importlib.metadata
from bottle import default_app, route

@route("/")
def packages():
    return " ".join(sorted(each.name for each in importlib.metadata.distributions()))

app = default_app()
"""


def test_poetry_and_pipenv_apps_get_what_their_locks_say(builds: Builds) -> None:
    project = PYPROJECT.replace("package-mode = false", "") + BUILD_SYSTEM
    files = {"pyproject.toml": project, "poetry.lock": POETRY_1, "app.py": APP}
    with running(builds, builds.succeed(files | {"src/shop/__init__.py": ""})) as container:
        found = get(builds, container).split()
    assert {"bottle", "certifi", "h11", "httpcore", "shop", "socksio"} <= set(found)
    assert not {"colorama", "iniconfig", "itsdangerous", "tomli"}.intersection(found)

    files = {"Pipfile": PIPFILE, "Pipfile.lock": PIPFILE_LOCK, "app.py": APP}
    with running(builds, builds.succeed(files)) as container:
        found = get(builds, container).split()
    assert "bottle" in found
    assert not {"colorama", "iniconfig", "httpcore"}.intersection(found)


def test_a_hash_that_is_not_the_packages_fails_the_build(builds: Builds) -> None:
    lock = POETRY_1.replace("045684fbd276", "045684fbd277").replace("787e78327e12", "787e78327e13")
    files = {"pyproject.toml": PYPROJECT, "poetry.lock": lock, "app.py": APP}
    deployment = builds.fail(files)
    assert "bottle==0.13.4 does not have the hash" in (deployment.error_cause or "")


def test_a_django_site_with_static_files_served_by_nginx(builds: Builds) -> None:
    builds.configure("BP_PYTHON_SERVER", "nginx", build=True)
    with running(builds, builds.succeed(DJANGO)) as container:
        page = get(builds, container, "/?name=you")
        assert "Hello, you!" in page
        style = re.search(r'href="(/static/site\.[0-9a-f]{12}\.css)"', page)
        assert style
        with urllib.request.urlopen(
            f"http://{container.address}:5000{style[1]}", timeout=5
        ) as answer:
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert b"font:" in answer.read()


def test_a_collectstatic_that_fails_fails_the_build(builds: Builds) -> None:
    settings = "greeter/settings.py"
    secret = DJANGO[settings].replace('os.environ.get("SECRET_KEY", "only-for-builds-and-laptops")',
                                      'os.environ["SECRET_KEY"]')  # fmt: skip
    deployment = builds.fail(DJANGO | {settings: secret})
    assert "the settings need SECRET_KEY" in (deployment.error_cause or "")
    assert "hythe config:set --build SECRET_KEY=" in (deployment.error_fix or "")
    assert "KeyError: 'SECRET_KEY'" in builds.transcript(deployment.id)
    builds.configure("DISABLE_COLLECTSTATIC", "1", build=True)
    builds.succeed(DJANGO | {settings: secret})


def test_hooks_run_around_the_installation(builds: Builds) -> None:
    files = {
        "requirements.txt": "none-of-this\n",
        "app.py": APP,
        "bin/pre_compile": "#!/bin/sh\necho bottle >requirements.txt\n",
        "bin/post_compile": "#!/usr/bin/env python\nimport bottle\n"
        "open('made.txt', 'w').write(bottle.__name__)\n",
        "Procfile": "show: cat made.txt\n",
    }
    with running(builds, builds.succeed(files), "show") as container:
        assert builds.engine.instances.wait(container.id, 20) == 0
        assert list(builds.engine.instances.logs(container.id)) == ["bottle"]
    failing = files | {"bin/post_compile": "#!/bin/sh\necho no luck\nexit 3\n"}
    deployment = builds.fail(failing)
    assert deployment.error_cause == "bin/post_compile failed with exit code 3: no luck"
