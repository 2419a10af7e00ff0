"""What bin/up asks the control plane after a start: which apps to wait for, and is there a user."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from builders import make_app, make_deployment, make_release
from integration.api.live_api import ControlPlane, control_plane
from setup import account, api, boot
from setup.place import Place

from hythe import serve
from hythe.model import Database, Instance, Routing
from hythe.settings import Settings

pytestmark = pytest.mark.one_database


@pytest.fixture
def codes() -> dict[str, str]:
    """What the router says of an app: its Hythe-Error, by the app's name."""
    return {}


@pytest.fixture
def router(codes: dict[str, str]) -> Iterator[int]:
    """A server that answers as the router would; returns its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            code = codes.get(self.headers["Host"].partition(".")[0], "")
            self.send_response(503 if code else 200)
            if code:
                self.send_header("Hythe-Error", code)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def plane(settings: Settings) -> Iterator[ControlPlane]:
    serve.init(settings)
    database = Database(settings.database)
    with control_plane(settings, database) as plane:
        serve.init(plane.settings)  # whose port is another than at the first start
        yield plane
    database.close()


@pytest.fixture
def place(plane: ControlPlane, router: int) -> Place:
    place = Place.of(
        {
            "HYTHE_HOME": str(plane.settings.home),
            "HYTHE_API_PORT": str(plane.settings.api_port),
            "HYTHE_HTTP_PORT": str(router),
        }
    )
    place.make()
    return place


def test_the_command_line_finds_the_api_at_its_new_port(place: Place) -> None:
    entry = json.loads(place.credentials.read_text())
    assert entry["url"] == place.api_url
    assert api.ask(place, "GET", "/v1/apps", entry["token"]) == {"items": []}


def test_a_login_to_another_machine_is_in_nobodys_way(place: Place) -> None:
    other = json.dumps({"url": "https://elsewhere:7600", "token": "other"})
    place.credentials.write_text(f"{other}\n{place.credentials.read_text()}")
    assert "/setup#code=" in str(account.setup_url(place))


def test_an_app_that_refuses_on_purpose_keeps_nobody_waiting(
    plane: ControlPlane, place: Place, codes: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boot, "BOOT_SECONDS", 1)
    for name, mode, code in (
        ("up", "serve", ""),
        ("limited", "serve", "http-429"),
        ("upgraded", "maintenance", "H80"),
        ("paused", "pause", "H20"),
        ("late", "serve", "H20"),
        ("lost", "serve", "unknown-host"),
    ):
        codes[name] = code
        _running(plane, name, mode)
    assert boot._late(place) == ["late", "lost"]


def _running(plane: ControlPlane, name: str, mode: str) -> None:
    with plane.database.write() as tx:
        app = make_app(tx, name)
        release = make_release(tx, plane.vault, plane.settings, app)
        deployment = make_deployment(tx, app, release=release, status="live")
        app.serving_id = deployment.id
        tx.add(Routing(app_id=app.id, mode=mode))
        tx.add(
            Instance(
                app_id=app.id,
                deployment_id=deployment.id,
                process="web",
                index=1,
                address="10.192.0.4",
                state="up",
            )
        )
