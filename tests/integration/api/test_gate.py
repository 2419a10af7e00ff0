"""Every request passes the gate: host, token, scope, size."""

import base64
from datetime import timedelta

import httpx
import pytest
from builders import stored
from fastapi.routing import APIRoute
from sqlalchemy import select

from hythe.api.app import create_app
from hythe.api.gate import JSON_LIMIT
from hythe.model import Token, now

from .live_api import ControlPlane


def routes(plane: ControlPlane) -> list[tuple[str, str]]:
    """(method, path) of every route, with something in each placeholder."""
    found = []
    for path, operations in create_app(plane.context).openapi()["paths"].items():
        filled = path
        for name in ("app", "deployment_id", "build_id", "version", "host", "token_id", "number"):
            filled = filled.replace(f"{{{name}}}", "1" if name != "app" else "shop")
        found += [(method.upper(), filled) for method in operations]
    return found


def test_nothing_else_answers_without_a_token(plane: ControlPlane) -> None:
    open_ones = {
        ("GET", "/healthz"),
        ("GET", "/v1/setup"),
        ("POST", "/v1/setup"),
        ("POST", "/v1/session"),
    }
    visitor = ("GET", "/v1/session")  # answers that it is nobody
    app = create_app(plane.context)
    paths = {route.path for route in app.routes if hasattr(route, "path")}
    wanted = {*routes(plane), *(("GET", path) for path in paths), ("GET", "/v1/nowhere")}
    wanted |= {("POST", "/nowhere"), ("GET", "/shop.git/nowhere")}
    with plane.with_token("") as client:
        answered = [
            (method, path)
            for method, path in wanted - open_ones - {visitor}
            if client.request(method, path).status_code != 401
        ]
        assert [client.request(*one).status_code for one in sorted(open_ones)] == [
            *(200, 200, 422, 422),
        ]
    assert len(wanted) > 30
    assert answered == []


def test_a_read_token_changes_nothing(plane: ControlPlane) -> None:
    with plane.client("read") as client:
        for method, path in routes(plane):
            if method == "GET" or path in ("/v1/session", "/v1/setup"):
                continue
            body = {"content": b"{}", "headers": {"Content-Type": "application/json"}}
            answer = client.request(method, path, params={"confirm": "shop"}, **body)
            assert answer.status_code == 403, (method, path, answer.text)
            assert answer.json()["code"] == "forbidden"


def test_secrets_need_more_than_a_read_token(plane: ControlPlane, api: httpx.Client) -> None:
    api.post("/v1/apps", json={"name": "shop"})
    with plane.client("read") as client:
        assert client.get("/v1/apps/shop").status_code == 200
        assert client.get("/v1/apps/shop/config").status_code == 403
        assert client.get("/v1/tokens").status_code == 403


def test_a_deploy_token_deploys_but_does_not_manage(plane: ControlPlane, api: httpx.Client) -> None:
    api.post("/v1/apps", json={"name": "shop"})
    with plane.client("deploy") as client:
        assert client.post("/v1/apps/shop/rollback", json={}).status_code == 409
        assert client.post("/v1/apps", json={"name": "other"}).status_code == 403


@pytest.mark.parametrize(
    "header",
    ["Bearer hythe_wrong", "Bearer", "Bearer a b", "Digest x", "Basic ???", "Basic aHl0aGU=", ""],
)
def test_a_wrong_token_is_refused_with_a_fix(plane: ControlPlane, header: str) -> None:
    answer = httpx.get(f"{plane.url}/v1/apps", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == 'Bearer realm="hythe"'
    assert answer.json()["code"] == "unauthorized"
    assert "hythe login" in answer.json()["fix"]


def test_a_revoked_token_is_refused_at_once(plane: ControlPlane, api: httpx.Client) -> None:
    made = api.post("/v1/tokens", json={"name": "ci", "scope": "read"}).json()
    with plane.with_token(made["token"]) as client:
        assert client.get("/v1/whoami").json() == {"name": "ci", "scope": "read"}
        assert api.delete(f"/v1/tokens/{made['id']}").status_code == 204
        refused = client.get("/v1/whoami")
    assert refused.status_code == 401
    assert "revoked" in refused.json()["detail"]


def test_basic_takes_the_token_as_password(plane: ControlPlane) -> None:
    pair = base64.b64encode(f"anyone:{plane.token()}".encode()).decode()
    answer = httpx.get(f"{plane.url}/v1/whoami", headers={"Authorization": f"Basic {pair}"})
    assert answer.json()["name"] == "tester"


def test_git_is_challenged_so_that_it_asks_its_helper(plane: ControlPlane) -> None:
    answer = httpx.get(f"{plane.url}/shop.git/info/refs?service=git-receive-pack")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Basic realm="hythe"'


def test_use_of_a_token_is_noted_once_a_minute(plane: ControlPlane) -> None:
    def noted() -> Token:
        with plane.database.read() as session:
            return session.scalars(select(Token)).one()

    with plane.client() as client:
        client.get("/v1/whoami")
        first = noted().last_used_at
        client.get("/v1/whoami")
        assert first is not None
        assert noted().last_used_at == first
        with plane.database.write() as tx:
            tx.get_one(Token, noted().id).last_used_at = now() - timedelta(minutes=2)
        client.get("/v1/whoami")
    used = noted().last_used_at
    assert used is not None
    assert used >= first


def test_only_a_hash_of_the_token_is_stored(plane: ControlPlane) -> None:
    secret = plane.token()
    with plane.database.read() as session:
        row = session.scalars(select(Token)).one()
    assert len(row.hash) == 64
    everything = stored(plane.settings, plane.database)
    assert row.hash.encode() in everything
    assert secret.encode() not in everything


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "shop.localhost", ""])
def test_other_host_names_are_refused(plane: ControlPlane, host: str) -> None:
    headers = {"Host": host, "Authorization": f"Bearer {plane.token()}"}
    answer = httpx.get(f"{plane.url}/healthz", headers=headers)
    assert answer.status_code == 421
    assert answer.json()["code"] == "wrong-host"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:7600", "hythe.localhost", "[::1]:7600"])
def test_its_own_names_are_answered(plane: ControlPlane, host: str) -> None:
    assert httpx.get(f"{plane.url}/healthz", headers={"Host": host}).status_code == 200


def test_a_large_json_body_is_refused(api: httpx.Client) -> None:
    answer = api.post("/v1/apps", content=b" " * (JSON_LIMIT + 1))
    assert answer.status_code == 413
    assert answer.json()["code"] == "too-large"


def test_a_large_body_of_undeclared_length_is_refused(api: httpx.Client) -> None:
    chunks = (b" " * 65536 for _ in range(20))
    answer = api.post("/v1/apps", content=chunks, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["code"] == "too-large"


def test_every_route_is_documented(plane: ControlPlane) -> None:
    document = create_app(plane.context).openapi()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation.get("summary"), (method, path)
            assert len(operation.get("tags", [])) == 1, (method, path)
            problem = operation["responses"]["default"]["content"]
            assert list(problem) == ["application/problem+json"]
    ids = [op["operationId"] for ops in document["paths"].values() for op in ops.values()]
    assert len(ids) == len(set(ids))
    assert not any(isinstance(r, APIRoute) and not r.tags for r in create_app(plane.context).routes)
