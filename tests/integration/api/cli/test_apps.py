import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from builders import make_app
from integration.route.rig import (
    RawServer,
    RouterProcess,
    answering,
    get,
    make_options,
    make_table,
    until,
    write_table,
)

from hythe.cli import credentials
from hythe.model import App

from ..live_api import ControlPlane
from .conftest import Hythe


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def test_apps_are_created_and_listed(hythe: Hythe) -> None:
    assert "apps:create" in hythe("apps").err
    made = hythe("apps:create", "shop")
    assert made.code == 0
    assert made.out.splitlines()[0] == "Creating shop... done"
    assert "http://shop.localhost:8080" in made.out
    assert hythe("apps").out == "shop\n"
    assert json.loads(hythe("apps", "--json").out)[0]["name"] == "shop"


def test_an_app_without_a_name_gets_one(hythe: Hythe) -> None:
    made = json.loads(hythe("apps:create", "--json").out)
    assert hythe("apps").out == f"{made['name']}\n"


def test_creating_in_a_repository_adds_the_remote(
    hythe: Hythe, plane: ControlPlane, repository: Path
) -> None:
    assert "git push hythe main" in hythe("apps:create", "shop").out
    assert git("remote", "get-url", "hythe") == f"{plane.url}/shop.git\n"
    hythe("apps:create", "other")
    assert git("remote", "get-url", "hythe") == f"{plane.url}/shop.git\n"


@pytest.mark.usefixtures("shop")
def test_the_remote_names_the_app(
    hythe: Hythe, repository: Path, plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HYTHE_APP")
    refused = hythe("apps:info")
    assert refused.code == 2
    assert "No app was named" in refused.err
    assert hythe("git:remote", "-a", "shop").code == 0
    assert "=== shop" in hythe("apps:info").out


@pytest.mark.usefixtures("shop")
def test_git_finds_the_token_without_keeping_it(
    hythe: Hythe, plane: ControlPlane, repository: Path
) -> None:
    credentials.save(credentials.default_path(), plane.url, "hythe_secret")
    hythe("git:remote")
    hythe("git:remote")  # twice is once
    assert "hythe_secret" not in (repository / ".git" / "config").read_text()
    filled = subprocess.run(
        ["git", "credential", "fill"],
        input=f"protocol=http\nhost={plane.url.removeprefix('http://')}\n\n",
        capture_output=True, text=True, check=True,
        env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
    )  # fmt: skip
    assert "username=hythe\npassword=hythe_secret\n" in filled.stdout


def test_git_remote_outside_a_repository(hythe: Hythe, shop: App) -> None:
    assert hythe("git:remote").code == 2


@pytest.mark.usefixtures("shop")
def test_info_shows_what_runs(hythe: Hythe) -> None:
    out = hythe("apps:info").out
    assert "Release:       v2" in out
    assert "Formation:     web=1 worker=0" in out
    assert "Runs as:       app" in out


@pytest.mark.usefixtures("shop")
def test_destroying_needs_a_confirmation(hythe: Hythe) -> None:
    refused = hythe("apps:destroy")
    assert refused.code == 2
    assert refused.err == " !    shop was not destroyed.\n !    Confirm with `--confirm shop`.\n"
    assert hythe("apps:destroy", "--confirm", "shop").out == "Destroying shop... done\n"
    assert hythe("apps").out == ""


@pytest.mark.usefixtures("shop")
def test_open_prints_the_address(hythe: Hythe) -> None:
    assert hythe("open").out == "http://shop.localhost:8080\n"


@pytest.mark.usefixtures("shop")
def test_domains(hythe: Hythe, plane: ControlPlane) -> None:
    assert hythe("domains:add", "a.example.com").out == "Adding a.example.com to shop... done\n"
    assert hythe("domains").out == "shop.localhost\na.example.com\n"
    with plane.database.write() as tx:
        make_app(tx, "other")
    taken = hythe("domains:add", "a.example.com", "-a", "other")
    assert taken.code == 1
    assert taken.out == "Adding a.example.com to other... failed\n"
    assert taken.err == (
        " !    a.example.com belongs to the app shop.\n"
        " !    Remove it there first: `hythe domains:remove a.example.com -a shop`.\n"
    )
    assert hythe("domains:remove", "a.example.com").code == 0
    assert hythe("domains").out == "shop.localhost\n"


@pytest.mark.one_database
def test_info_shows_what_the_router_counted(
    hythe: Hythe, plane: ControlPlane, tmp_path: Path
) -> None:
    with plane.database.write() as tx:
        make_app(tx, "app")
    assert "no router answers" in hythe("apps:info", "-a", "app").out
    app = RawServer(answering())
    write_table(tmp_path / "table.json", make_table({"i1": app.port}))
    plane.settings.stats_socket.parent.mkdir(parents=True, exist_ok=True)
    options = make_options(
        tmp_path, table=tmp_path / "table.json", stats=plane.settings.stats_socket
    )
    router = RouterProcess(options)
    try:
        assert "0 requests since" in hythe("apps:info", "-a", "app").out
        for _ in range(3):
            assert get(router.port)[0] == 200
        shown = until(lambda: "3 requests" in (out := hythe("apps:info", "-a", "app").out) and out)
        assert re.search(r"Traffic: +3 requests since .*, 0 now; p50 [0-9.]+ ms, p95", shown)
        answer = plane.client().get("/v1/apps/app/traffic").json()
        assert answer["statuses"] == {"2xx": 3}
        assert 0 < answer["p50"] <= answer["p95"] <= answer["p99"]
    finally:
        router.stop()
        app.close()
