"""The four ways to serve a Python app: who answered is read from the response."""

import urllib.request
from pathlib import Path

import pytest
from integration.build.conftest import Builds
from integration.build.running import get, running

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("stage"),
    pytest.mark.one_database("it is about containers"),
]

EXAMPLE = Path(__file__).parents[3] / "examples" / "servers"
FILES = {name: (EXAMPLE / name).read_text() for name in ("app.py", "static/site.css")}


def headers(address: str | None, path: str) -> dict[str, str]:
    with urllib.request.urlopen(f"http://{address}:5000{path}", timeout=5) as answer:
        return dict(answer.headers)


@pytest.mark.parametrize(
    ("chosen", "software", "server"),
    [("gunicorn", "gunicorn/", "gunicorn"), ("mod_wsgi", "Apache, mod_wsgi 4", "Apache"),
     ("nginx", "gunicorn/", "nginx")],
)  # fmt: skip
def test_each_server_answers_alone_and_behind_a_cache(
    builds: Builds, chosen: str, software: str, server: str
) -> None:
    builds.configure("BP_PYTHON_SERVER", chosen, build=True)
    alone = builds.succeed(FILES)
    with running(builds, alone) as container:
        assert get(builds, container).startswith(software)
        assert headers(container.address, "/")["Server"] == server
        if server != "gunicorn":
            assert get(builds, container, "/static/site.css") == FILES["static/site.css"]
    builds.configure("BP_FRONT_CACHE", "varnish", build=True)
    cached = builds.succeed(FILES)
    with running(builds, cached) as container:
        assert " in web.1, " in get(builds, container, "/cached")
        again = headers(container.address, "/cached")
        assert "varnish" in again["Via"]
        assert again["Server"] == server
        assert len(again["X-Varnish"].split()) == 2  # this request's number, and the stored one's
        assert len(headers(container.address, "/")["X-Varnish"].split()) == 1


def test_a_server_for_the_other_protocol_is_refused(builds: Builds) -> None:
    builds.configure("BP_PYTHON_SERVER", "uvicorn", build=True)
    deployment = builds.fail(FILES)
    assert "BP_PYTHON_SERVER is uvicorn" in (deployment.error_cause or "")
    assert "nginx or gunicorn" in (deployment.error_fix or "")


def test_a_server_that_does_not_exist_lists_those_that_do(builds: Builds) -> None:
    builds.configure("BP_PYTHON_SERVER", "tomcat", build=True)
    deployment = builds.fail(FILES)
    assert "gunicorn, uvicorn, mod_wsgi, nginx" in (deployment.error_fix or "")
