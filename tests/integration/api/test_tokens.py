import httpx
import pytest

from .live_api import ControlPlane


def test_a_token_is_shown_once(plane: ControlPlane, api: httpx.Client) -> None:
    made = api.post("/v1/tokens", json={"name": "ci", "scope": "deploy"})
    assert made.status_code == 201
    secret = made.json()["token"]
    listed = api.get("/v1/tokens")
    assert [item["name"] for item in listed.json()["items"]] == ["tester", "ci"]
    assert secret not in listed.text
    with plane.with_token(secret) as client:
        assert client.get("/v1/whoami").json() == {"name": "ci", "scope": "deploy"}


def test_revoking_twice_is_no_error(api: httpx.Client) -> None:
    number = api.post("/v1/tokens", json={"name": "ci"}).json()["id"]
    assert api.delete(f"/v1/tokens/{number}").status_code == 204
    assert api.delete(f"/v1/tokens/{number}").status_code == 204
    assert api.delete("/v1/tokens/99").status_code == 404


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": "a\nb"}, {"name": "a", "scope": "x"}, {"name": "x" * 101}]
)
def test_bad_tokens_are_refused(api: httpx.Client, body: object) -> None:
    assert api.post("/v1/tokens", json=body).status_code == 422
