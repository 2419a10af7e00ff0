"""Credentials are checked by the registry itself before they are kept."""

from collections.abc import Iterator

import httpx
import pytest
from conftest import missing
from registry import PASSWORD, USER, Registry, program, serving

from hythe.engine.port import Engine

pytestmark = [pytest.mark.docker, pytest.mark.one_database("it is about the registry")]


@pytest.fixture(scope="module")
def registry(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    if program() is None:
        missing("registry", "Debian's package `docker-registry` is not installed.")
    with serving(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


def log_in(api: httpx.Client, host: str, password: str, **more: bool) -> httpx.Response:
    body = {"host": host, "username": USER, "password": password, **more}
    return api.post("/v1/registries", json=body)


def test_a_registry_checks_a_password_before_it_is_kept(
    api: httpx.Client, registry: Registry
) -> None:
    refused = log_in(api, registry.host, "wrong")
    assert (refused.status_code, refused.json()["code"]) == (422, "registry-denied")
    assert f"does not accept {USER} with this password" in refused.json()["detail"]
    assert "wrong" not in refused.text
    assert api.get("/v1/registries").json()["items"] == []
    assert log_in(api, registry.host, PASSWORD).status_code == 201
    assert log_in(api, registry.host, "wrong").status_code == 422
    assert log_in(api, registry.host, "later", verify=False).status_code == 201


def test_a_host_without_a_registry_is_told_apart(api: httpx.Client, registry: Registry) -> None:
    away = log_in(api, "127.0.0.1:1", "any")
    assert (away.status_code, away.json()["code"]) == (503, "registry-away")
    assert "--no-verify" in away.json()["fix"]
    other = httpx.URL(str(api.base_url))  # our own API: it answers, and is no registry
    assert log_in(api, f"127.0.0.1:{other.port}", "any").status_code in (422, 503)
    assert api.get("/v1/registries").json()["items"] == []
