import httpx
import pytest
from builders import make_app

from .live_api import ControlPlane

PATH = "/v1/apps/shop/domains"


@pytest.fixture(autouse=True)
def apps(plane: ControlPlane) -> None:
    with plane.database.write() as tx:
        make_app(tx, "shop")
        make_app(tx, "other")


def hosts(api: httpx.Client) -> list[str]:
    return [item["host"] for item in api.get(PATH).json()["items"]]


def test_domains_are_added_and_removed(plane: ControlPlane, api: httpx.Client) -> None:
    bell = plane.database.subscribe()
    made = api.post(PATH, json={"host": "Shop.Example.com."})
    assert made.status_code == 201
    assert made.json()["url"] == "http://shop.example.com:8080"
    assert bell.wait(5)
    assert hosts(api) == ["shop.localhost", "shop.example.com"]
    assert api.get("/v1/apps/shop").json()["hosts"] == hosts(api)
    assert api.delete(f"{PATH}/shop.example.com").status_code == 204
    assert bell.wait(5)
    assert hosts(api) == ["shop.localhost"]


@pytest.mark.parametrize(
    ("domain", "url"),
    [
        ({"host": "example.com", "path": "/shop"}, "http://example.com:8080/shop"),
        ({"host": "*.example.com"}, None),
    ],
)
def test_the_url_of_a_domain_can_be_opened(
    api: httpx.Client, domain: dict[str, str], url: str | None
) -> None:
    assert api.post(PATH, json=domain).json()["url"] == url


def test_a_domain_of_another_app_is_refused(api: httpx.Client) -> None:
    api.post("/v1/apps/other/domains", json={"host": "a.example.com"})
    answer = api.post(PATH, json={"host": "A.example.com"})
    assert answer.status_code == 409
    assert answer.json()["code"] == "domain-taken"
    assert "other" in answer.json()["detail"]


def test_a_domain_twice_is_a_conflict(api: httpx.Client) -> None:
    api.post(PATH, json={"host": "a.example.com"})
    assert api.post(PATH, json={"host": "a.example.com"}).json()["code"] == "conflict"


@pytest.mark.parametrize(
    "host",
    ["other.localhost", "hythe.localhost", "new.localhost", "localhost", "192.0.2.7", "*.0.0.1"],
)
def test_names_of_apps_are_not_domains(api: httpx.Client, host: str) -> None:
    assert api.post(PATH, json={"host": host}).status_code == 422


@pytest.mark.parametrize(
    "host", ["", ".", "a..b", "-a.com", "a_b.c", "a b.c", "x" * 64 + ".com", "a.com:80", "a.*.com"]
)
def test_bad_domains_are_refused(api: httpx.Client, host: str) -> None:
    assert api.post(PATH, json={"host": host}).status_code == 422
    assert hosts(api) == ["shop.localhost"]


def test_removing_what_is_not_there(api: httpx.Client) -> None:
    api.post("/v1/apps/other/domains", json={"host": "a.example.com"})
    assert api.delete(f"{PATH}/a.example.com").status_code == 404
    assert api.delete(f"{PATH}/shop.localhost").status_code == 404
