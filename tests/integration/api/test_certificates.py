"""Certificates: checked when they come, sealed at rest, published with the app's route."""

import datetime

import httpx
import pytest
from builders import make_app
from integration.route.pki import make_certificate
from sqlalchemy import select

from hythe.model import Certificate, Database, Table, Vault
from hythe.run.publish import Publisher
from hythe.settings import Settings
from hythe.wire import RouteTable

from .live_api import ControlPlane

PATH = "/v1/apps/shop/certificates"


@pytest.fixture(autouse=True)
def app(plane: ControlPlane, api: httpx.Client) -> None:
    with plane.database.write() as tx:
        make_app(tx, "shop")
    api.post("/v1/apps/shop/domains", json={"host": "shop.example.com"})


def add(api: httpx.Client, *names: str, serial: int = 1, **changed: str) -> httpx.Response:
    pair = make_certificate(*names, serial=serial)
    return api.post(PATH, json={"chain": pair.chain, "key": pair.key, **changed})


def test_a_certificate_is_kept_sealed_and_never_shown(
    plane: ControlPlane, api: httpx.Client
) -> None:
    made = add(api, "shop.example.com", "*.shop.example.com")
    assert made.status_code == 201
    answer = made.json()
    assert answer["serves"] == ["shop.example.com"]
    assert datetime.datetime.fromisoformat(answer["expires_at"])
    assert api.get(PATH).json()["items"] == [answer]
    assert "PRIVATE" not in made.text + api.get(PATH).text
    with plane.database.read() as session:
        assert b"PRIVATE" not in session.scalars(select(Certificate.key)).one()


def test_a_certificate_for_an_app_below_a_path(api: httpx.Client) -> None:
    for path in ("/shop", "/store"):
        api.post("/v1/apps/shop/domains", json={"host": "example.com", "path": path})
    made = add(api, "example.com")
    assert made.status_code == 201, made.text
    assert made.json()["serves"] == ["example.com"]


def test_one_with_the_same_names_is_replaced(api: httpx.Client) -> None:
    add(api, "shop.example.com")
    add(api, "shop.example.com", serial=2)
    (only,) = api.get(PATH).json()["items"]
    assert only["fingerprint"] == add(api, "shop.example.com", serial=2).json()["fingerprint"]


def test_removing(api: httpx.Client) -> None:
    add(api, "shop.example.com")
    assert api.delete(f"{PATH}/shop.example.com").status_code == 204
    assert api.get(PATH).json()["items"] == []
    assert api.delete(f"{PATH}/shop.example.com").status_code == 404


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"key": "nonsense"}, "PEM"),
        ({"chain": "nonsense"}, "PEM"),
        ({"key": make_certificate("x.org").key}, "does not belong"),
    ],
)
def test_what_does_not_fit_is_refused(
    api: httpx.Client, changed: dict[str, str], word: str
) -> None:
    answer = add(api, "shop.example.com", **changed)
    assert answer.status_code == 422
    assert word in answer.json()["detail"]
    assert "PRIVATE KEY-----\n" not in answer.text


def test_a_certificate_for_nobody_s_host_is_refused(api: httpx.Client) -> None:
    answer = add(api, "other.example.com")
    assert answer.status_code == 422
    assert "domains:add" in answer.text


def test_routers_get_the_key_and_the_database_does_not(
    plane: ControlPlane, api: httpx.Client, settings: Settings, database: Database
) -> None:
    pair = make_certificate("*.example.com", serial=1)
    add(api, "*.example.com")
    sent: list[RouteTable] = []
    Publisher(settings, database, Vault.open(settings.key_file), 1, sent.append).publish()
    (certificate,) = sent[0].routes[0].certificates
    assert certificate.names == ("shop.example.com",)  # what of it is the app's
    assert certificate.key == pair.key
    with database.read() as session:
        document = session.scalars(select(Table.document)).one()
    assert "BEGIN CERTIFICATE" in document
    assert "PRIVATE" not in document
