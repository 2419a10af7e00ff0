"""One-off runs through the API: rows, and a WebSocket at the program's input and output."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from builders import make_app, make_deployment, make_release
from sqlalchemy import select
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from hythe.api import attach, terminal
from hythe.cli.client import Client
from hythe.cli.credentials import Credentials
from hythe.cli.failure import OutOfReach
from hythe.engine.memory import Memory, Program
from hythe.engine.port import ContainerSpec
from hythe.model import App, Database, Event, Instance, Run
from hythe.run.oneoffs import OneOffs
from hythe.settings import Settings

from .browser import Browser, setup_code
from .live_api import ControlPlane, control_plane
from .test_tls import OverTls

CAT = Program(echo=True)
SERVES = Program()
LIST = Program(output=("a file",), code=2)


@pytest.fixture
def memory() -> Memory:
    memory = Memory()
    memory.images_add("sha256:one")
    for line, program in {"cat": CAT, "serve": SERVES, "list": LIST}.items():
        memory.programs[(line,)] = program  # as a container's command
        memory.programs[("/cnb/lifecycle/launcher", line)] = program  # as an exec
    return memory


@pytest.fixture
def plane(settings: Settings, database: Database, memory: Memory) -> Iterator[ControlPlane]:
    with control_plane(settings, database, memory.engine) as plane:
        yield plane


@pytest.fixture
def stage(plane: ControlPlane, memory: Memory) -> Iterator[OneOffs]:
    stage = OneOffs(
        plane.settings,
        plane.database,
        memory.engine,
        plane.context.names,
        plane.vault,
        lambda *_: None,
    )
    stage.start()
    yield stage
    stage.stop()


@pytest.fixture
def shop(plane: ControlPlane) -> App:
    with plane.database.write() as tx:
        app = make_app(tx)
        processes = {"web": "serve", "worker": "list"}
        release = make_release(tx, plane.vault, plane.settings, app, processes=processes)
        app.serving_id = make_deployment(tx, app, release).id
        return app


@pytest.fixture
def web(plane: ControlPlane, memory: Memory, shop: App) -> Instance:
    """web.1, up."""
    with plane.database.write() as tx:
        instance = Instance(
            app_id=shop.id,
            deployment_id=shop.serving_id,
            process="web",
            index=1,
            address="10.192.0.16",
            state="up",
        )
        tx.add(instance)
    name = plane.context.names.instance("shop", "web", 1, instance.id)
    made = memory.engine.instances.create(ContainerSpec(name, "sha256:one", ("serve",)))
    memory.engine.instances.start(made.id)
    return instance


def ask(api: httpx.Client, command: str | None, **body: Any) -> Any:
    answer = api.post("/v1/apps/shop/runs", json={"command": command, **body})
    assert answer.status_code == 201, answer.text
    return answer.json()


@contextmanager
def attached(plane: ControlPlane, number: int, **options: Any) -> Iterator[ClientConnection]:
    """A client with a token, unless the options say otherwise."""
    given = {"additional_headers": {"Authorization": f"Bearer {plane.token()}"}} | options
    given.setdefault("subprotocols", [terminal.PROTOCOL])
    address = f"{given.pop('host', '127.0.0.1')}:{plane.settings.api_port}"
    url = f"ws://{address}/v1/apps/shop/runs/{number}/attach"
    with connect(url, open_timeout=20, **given) as opened:
        yield opened


def to_the_end(session: ClientConnection) -> tuple[bytes, Any]:
    """The output, and the run as it ended."""
    output = b""
    while True:
        message = session.recv(timeout=20)
        if isinstance(message, bytes):
            output += message[1:]
        elif "ended" in (said := json.loads(message)):
            return output, said["ended"]


def until(find: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while not (found := find()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_an_attached_run_takes_input_and_says_how_it_ended(
    plane: ControlPlane, stage: OneOffs, shop: App, api: httpx.Client, memory: Memory
) -> None:
    made = ask(api, "cat", attach=True)
    assert (made["name"], made["state"], made["release"]) == ("run.1", "queued", 1)
    with attached(plane, 1) as session:
        assert session.subprotocol == terminal.PROTOCOL
        session.send(b"hello\n")
        taken = json.loads(until(lambda: text_of(session.recv(timeout=20))))
        assert taken == {"taken": 6}
        session.send(json.dumps({"end_input": True}))
        _, ended = to_the_end(session)
    assert (ended["state"], ended["reason"], ended["exit_code"]) == ("ended", "exited", 0)
    assert api.get("/v1/apps/shop/runs/1").json() == ended
    until(lambda: not memory.boxes)


def text_of(message: str | bytes) -> str:
    return message if isinstance(message, str) else ""


def test_output_from_the_first_line_on_and_the_exit_code(
    plane: ControlPlane, stage: OneOffs, shop: App, api: httpx.Client
) -> None:
    ask(api, "list", attach=True)
    with attached(plane, 1) as session:
        output, ended = to_the_end(session)
    assert (output, ended["exit_code"]) == (b"a file\n", 2)


def test_a_process_type_stands_for_its_command(
    plane: ControlPlane, stage: OneOffs, shop: App, api: httpx.Client
) -> None:
    assert ask(api, "worker")["command"] == "list"
    until(lambda: api.get("/v1/apps/shop/runs/1").json()["state"] == "ended")


def test_a_terminal_has_a_size_that_changes(
    plane: ControlPlane, stage: OneOffs, shop: App, api: httpx.Client, memory: Memory
) -> None:
    ask(api, "cat", attach=True, tty=True, rows=24, columns=80)
    with attached(plane, 1) as session:
        box = until(lambda: next(iter(memory.boxes.values()), None))
        assert box.spec.tty
        assert box.spec.env["TERM"] == "xterm-256color"
        until(lambda: [one.size for one in box.terminals] == [(24, 80)])
        session.send(json.dumps({"resize": [50, 132]}))
        until(lambda: [one.size for one in box.terminals] == [(50, 132)])


def test_a_signal_reaches_the_program(
    plane: ControlPlane, stage: OneOffs, shop: App, api: httpx.Client, memory: Memory
) -> None:
    memory.programs[("serve",)] = Program(output=("up",), on_term=7)
    ask(api, "serve", attach=True)
    with attached(plane, 1) as session:
        assert session.recv(timeout=20) == b"\x01up\n"
        session.send(json.dumps({"signal": "INT"}))
        _, ended = to_the_end(session)
    assert (ended["reason"], ended["exit_code"]) == ("exited", 7)


@pytest.mark.parametrize("message", ["no json", '{"resize": [0, 1]}', '{"signal": "STOP"}', "[]"])
def test_what_no_client_says_ends_the_session(
    plane: ControlPlane, stage: OneOffs, shop: App, api: httpx.Client, message: str
) -> None:
    ask(api, "serve", attach=True)
    with attached(plane, 1) as session:
        session.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            to_the_end(session)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    ended = until(lambda: ended_run(api))
    assert ended["reason"] == "client-gone"


def ended_run(api: httpx.Client, number: int = 1) -> Any:
    run = api.get(f"/v1/apps/shop/runs/{number}").json()
    return run if run["state"] == "ended" else None


@pytest.mark.parametrize("politely", [True, False])
def test_a_run_ends_when_its_client_leaves(
    plane: ControlPlane,
    stage: OneOffs,
    shop: App,
    api: httpx.Client,
    memory: Memory,
    politely: bool,
) -> None:
    ask(api, "serve", attach=True)
    with attached(plane, 1) as session:
        until(lambda: api.get("/v1/apps/shop/runs/1").json()["state"] == "running")
        if not politely:
            session.socket.shutdown(2)
    ended = until(lambda: ended_run(api))
    assert (ended["reason"], ended["exit_code"]) == ("client-gone", 143)
    until(lambda: not memory.boxes)


def test_a_run_that_somebody_stops_tells_its_client(
    plane: ControlPlane, stage: OneOffs, shop: App, api: httpx.Client
) -> None:
    ask(api, "serve", attach=True)
    with attached(plane, 1) as session:
        until(lambda: api.get("/v1/apps/shop/runs/1").json()["state"] == "running")
        assert api.post("/v1/apps/shop/runs/1/stop").status_code == 202
        _, ended = to_the_end(session)
    assert (ended["reason"], ended["detail"]) == ("stopped", "Stopped by tester.")


def test_a_stopping_control_plane_ends_its_sessions_in_order(
    plane: ControlPlane, stage: OneOffs, shop: App, api: httpx.Client
) -> None:
    ask(api, "serve", attach=True)
    with attached(plane, 1) as session:
        until(lambda: api.get("/v1/apps/shop/runs/1").json()["state"] == "running")
        plane.context.open_streams.close()
        with pytest.raises(ConnectionClosed) as closed:
            to_the_end(session)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    assert until(lambda: ended_run(api))["reason"] == "client-gone"


def test_a_revoked_token_ends_the_session(
    plane: ControlPlane,
    stage: OneOffs,
    shop: App,
    api: httpx.Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(terminal, "BEAT_SECONDS", 0.05)
    made = api.post("/v1/tokens", json={"name": "other", "scope": "manage"}).json()
    ask(api, "serve", attach=True)
    headers = {"Authorization": f"Bearer {made['token']}"}
    with attached(plane, 1, additional_headers=headers) as session:
        until(lambda: api.get("/v1/apps/shop/runs/1").json()["state"] == "running")
        seen = [seen_at(plane)]
        until(lambda: seen_at(plane) not in seen)  # the row says that the client is there
        api.delete(f"/v1/tokens/{made['id']}")
        with pytest.raises(ConnectionClosed):
            to_the_end(session)
    assert until(lambda: ended_run(api))["reason"] == "client-gone"


def seen_at(plane: ControlPlane) -> object:
    with plane.database.read() as session:
        return session.scalars(select(Run.seen_at)).one()


def test_one_client_is_all_that_a_run_takes(
    plane: ControlPlane, stage: OneOffs, shop: App, api: httpx.Client
) -> None:
    ask(api, "serve", attach=True)
    with attached(plane, 1), pytest.raises(InvalidStatus) as refused, attached(plane, 1):
        pass
    assert refused.value.response.status_code == 409
    assert json.loads(refused.value.response.body)["code"] == "conflict"


def test_a_run_that_has_ended_takes_no_client(
    plane: ControlPlane, stage: OneOffs, shop: App, api: httpx.Client
) -> None:
    ask(api, "list")
    until(lambda: ended_run(api))
    with pytest.raises(InvalidStatus) as refused, attached(plane, 1):
        pass
    assert refused.value.response.status_code == 409


def test_terminals_are_counted(
    plane: ControlPlane,
    stage: OneOffs,
    shop: App,
    api: httpx.Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attach, "MOST_TERMINALS", 1)
    for _ in range(2):
        ask(api, "serve", attach=True)
    with attached(plane, 1):
        with pytest.raises(InvalidStatus) as refused, attached(plane, 2):
            pass
        assert json.loads(refused.value.response.body)["code"] == "too-many-terminals"


def test_runs_of_an_app_are_counted(plane: ControlPlane, shop: App, api: httpx.Client) -> None:
    for _ in range(13):
        ask(api, "serve")
    answer = api.post("/v1/apps/shop/runs", json={"command": "serve"})
    assert (answer.status_code, answer.json()["code"]) == (409, "too-many-runs")


def test_an_exec_runs_in_the_instance_and_leaves_it(
    plane: ControlPlane, stage: OneOffs, shop: App, web: Instance, api: httpx.Client, memory: Memory
) -> None:
    made = ask(api, "list", instance="web.1")
    assert (made["kind"], made["instance"], made["state"]) == ("exec", "web.1", "ready")
    with attached(plane, 1) as session:
        output, ended = to_the_end(session)
    assert (output, ended["exit_code"], ended["reason"]) == (b"a file\n", 2, "exited")
    assert [box.state for box in memory.boxes.values()] == ["running"]


def test_an_exec_without_a_command_is_a_shell(
    plane: ControlPlane, shop: App, web: Instance, api: httpx.Client
) -> None:
    assert ask(api, None, instance="web.1")["command"] == "bash"
    answer = api.post("/v1/apps/shop/runs", json={})
    assert answer.status_code == 422
    assert api.post("/v1/apps/shop/runs", json={"instance": "web.2"}).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"command": ""},
        {"command": " "},
        {"command": "a\0b"},
        {"command": "a", "tty": True},
        {"command": "a", "timeout": 10**9},
        {"command": "a", "memory": 1},
        {"command": "a", "cpus": 0},
        {"command": "a", "attach": True, "rows": 0},
    ],
)
def test_what_cannot_be_run_is_refused(
    plane: ControlPlane, shop: App, api: httpx.Client, body: dict[str, Any]
) -> None:
    assert api.post("/v1/apps/shop/runs", json=body).status_code == 422
    assert api.get("/v1/apps/shop/runs").json()["items"] == []


def test_an_app_without_a_release_runs_nothing(plane: ControlPlane, api: httpx.Client) -> None:
    api.post("/v1/apps", json={"name": "shop"})
    answer = api.post("/v1/apps/shop/runs", json={"command": "ls"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "Deploy first" in answer.json()["fix"]


def test_who_ran_what_is_an_event(
    plane: ControlPlane, stage: OneOffs, shop: App, api: httpx.Client
) -> None:
    ask(api, "list")
    until(lambda: ended_run(api))
    with plane.database.read() as session:
        rows = session.execute(select(Event.kind, Event.actor, Event.message)).all()
    assert [tuple(row) for row in rows if row.kind.startswith("run.")] == [
        ("run.start", "tester", "run.1: list"),
        ("run.end", "hythe", "run.1: Process exited with status 2"),
    ]


# The gate


@pytest.mark.parametrize("scope", ["read", "deploy"])
def test_a_narrow_token_neither_runs_nor_attaches(
    plane: ControlPlane, shop: App, api: httpx.Client, scope: Any
) -> None:
    ask(api, "list", attach=True)
    with plane.client(scope) as client:
        assert client.post("/v1/apps/shop/runs", json={"command": "ls"}).status_code == 403
        assert client.post("/v1/apps/shop/runs/1/stop").status_code == 403
        assert client.get("/v1/apps/shop/runs").status_code == 200
    headers = {"Authorization": f"Bearer {plane.token(scope)}"}
    assert refusal(plane, additional_headers=headers) == (403, "forbidden")


def refusal(plane: ControlPlane, **options: Any) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as refused, attached(plane, 1, **options):
        pass
    response = refused.value.response
    return response.status_code, json.loads(response.body)["code"]


def test_a_socket_needs_a_credential_and_the_right_name(plane: ControlPlane, shop: App) -> None:
    assert refusal(plane, additional_headers={}) == (401, "unauthorized")
    wrong = {"Authorization": "Bearer hythe_wrong"}
    assert refusal(plane, additional_headers=wrong) == (401, "unauthorized")
    here = socket.create_connection(("127.0.0.1", plane.settings.api_port))
    assert refusal(plane, host="evil.example", sock=here) == (421, "wrong-host")


def test_a_browser_opens_a_terminal_from_its_own_page_only(
    plane: ControlPlane, stage: OneOffs, shop: App, api: httpx.Client
) -> None:
    with Browser(plane) as browser:
        browser.set_up(setup_code(api))
        ask(api, "list", attach=True)
        cookie = {"Cookie": f"{browser.cookie_name}={browser.cookie}"}
        own = {"origin": plane.url, "additional_headers": cookie}
        csrf = [terminal.PROTOCOL, f"csrf.{browser.csrf}"]
        for wrong in (
            own | {"subprotocols": [terminal.PROTOCOL]},
            own | {"subprotocols": [terminal.PROTOCOL, "csrf.wrong"]},
            own | {"subprotocols": csrf, "origin": "http://evil.example"},
            {"additional_headers": cookie, "subprotocols": csrf},  # without an origin
        ):
            assert refusal(plane, **wrong) == (403, "cross-site")
        with attached(plane, 1, **own, subprotocols=csrf) as session:
            assert session.subprotocol == terminal.PROTOCOL
            assert to_the_end(session)[0] == b"a file\n"


def test_the_command_lines_socket_over_tls_trusts_the_pinned_certificate_only(
    plane: ControlPlane, stage: OneOffs, shop: App, api: httpx.Client
) -> None:
    over = OverTls(plane)
    try:
        pinned = Credentials(over.url, plane.token(), over.certificate.fingerprint)
        client = Client(pinned)
        assert client.run("shop", {"command": "cat", "attach": True})["name"] == "run.1"
        other = Client(replace(pinned, fingerprint="SHA256:" + "0" * 64))
        with pytest.raises(OutOfReach):
            other.attach("shop", 1)
        session = client.attach("shop", 1)
        data = b"x" * 100_000
        session.send(data)
        session.send(json.dumps({"end_input": True}))
        messages: list[bytes | str] = []
        while not session.closed:
            messages += session.receive()
        session.close()
    finally:
        over.stop()
    assert b"".join(each[1:] for each in messages if isinstance(each, bytes)) == data
    last = [each for each in messages if isinstance(each, str)][-1]
    assert json.loads(last)["ended"]["exit_code"] == 0
