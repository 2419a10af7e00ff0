"""Every example, deployed by a real push and asked through the router."""

import socket
from collections.abc import Callable

import pytest
from receivers import SyslogServer
from websockets.sync.client import connect

from bench.installation import Project, until

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

Make = Callable[[str], Project]


def test_hello_shows_its_release_instance_and_commit(make_project: Make) -> None:
    project = make_project("hello")
    output = project.push()
    commit = project.installation.run("git", "rev-parse", "HEAD", folder=project.folder)[:12]

    assert "deployed (v" in output
    page = project.get()
    assert page.status == 200
    assert "<dd>web.1" in page.text
    assert commit in page.text


def test_bare_wsgi_callable_needs_no_framework_requirements_or_procfile(make_project: Make) -> None:
    project = make_project("wsgi-bare")
    assert [path.name for path in project.folder.glob("*.py")] == ["wsgi.py"]
    project.push()
    assert project.get("/any/path").text == "Hello from /any/path\n"


def test_flask_app_with_worker_and_release_phase(make_project: Make) -> None:
    project = make_project("flask-worker")
    output = project.push()
    assert "preparing v" in output  # what the release phase printed
    assert project.get().json()["instance"] == "web.1"

    project.hythe("ps:scale", "worker=1", "web=2")
    until(lambda: "worker.1 at work" in project.hythe("logs", "-n", "100"))
    instances = {"web.1", "web.2"}
    until(lambda: instances.discard(project.get().json()["instance"]) or not instances)


def test_logs_of_a_build_and_of_requests_here_and_at_a_drain(make_project: Make) -> None:
    project = make_project("wsgi-bare")
    project.push()
    until(lambda: "Python app detected" in project.hythe("logs", "-s", "build"))
    assert "Python app detected" not in project.hythe("logs")
    receiver = SyslogServer()
    project.hythe("drains:add", f"syslog://127.0.0.1:{receiver.port}")
    until(lambda: "sending" in project.hythe("drains"))
    assert project.get("/told").status == 200
    told = until(lambda: [text for text in receiver.texts if 'path="/told"' in text])[0]
    name = told.partition("request_id=")[2].partition(" ")[0]
    assert told in project.hythe("logs", "--request-id", name)
    project.hythe("drains:remove", project.hythe("drains").splitlines()[-1].split()[0])
    receiver.stop()


def test_fastapi_app_speaks_websocket_through_the_router(make_project: Make) -> None:
    project = make_project("fastapi-websocket")
    project.push()
    assert "<title>Echo</title>" in project.get().text
    port = project.installation.http_port
    router = socket.create_connection(("127.0.0.1", port))  # not every resolver knows *.localhost
    with connect(f"ws://{project.app}.localhost:{port}/echo", sock=router, proxy=None) as echo:
        for message in ("one", "two", "é" * 1000):
            echo.send(message)
            assert echo.recv(timeout=10) == message
