"""Errors have one shape."""

import httpx
import pytest

from .live_api import ControlPlane


def problem(answer: httpx.Response) -> dict[str, object]:
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, object] = answer.json()
    assert set(document) == {"type", "title", "status", "detail", "code", "fix"}
    assert document["status"] == answer.status_code
    assert document["type"] == f"/docs/errors#{document['code']}"
    assert document["detail"]
    assert document["fix"]
    return document


def test_unknown_address(api: httpx.Client) -> None:
    assert problem(api.get("/v2/apps"))["code"] == "not-found"


def test_wrong_method(api: httpx.Client) -> None:
    answer = api.put("/v1/apps")
    assert problem(answer)["code"] == "bad-method"
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("body", [b"{", b"", b"\xff\xfe", b"[]", b'"x"', b"null", b"[" * 50_000])
def test_a_body_that_is_no_json_object(api: httpx.Client, body: bytes) -> None:
    answer = api.post("/v1/apps", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert problem(answer)["code"] == "invalid-value"


def test_unknown_keys(api: httpx.Client) -> None:
    answer = api.post("/v1/apps", json={"name": "shop", "colour": "blue"})
    assert answer.status_code == 422
    assert "colour" in str(problem(answer)["detail"])


def test_wrong_types(api: httpx.Client) -> None:
    assert problem(api.post("/v1/apps", json={"name": 5}))["status"] == 422


def test_unknown_app(api: httpx.Client) -> None:
    answer = api.get("/v1/apps/nowhere")
    assert answer.status_code == 404
    assert problem(answer)["detail"] == "There is no app 'nowhere'."


def test_a_bug_answers_without_details(plane: ControlPlane, api: httpx.Client) -> None:
    api.post("/v1/apps", json={"name": "shop"})
    with plane.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE instances")
    answer = api.get("/v1/apps/shop/instances")
    assert answer.status_code == 503
    assert problem(answer)["detail"] == "Hythe failed on this request."
