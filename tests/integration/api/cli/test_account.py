import io
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hythe.cli import credentials
from hythe.model import App
from hythe.observe.line import LogLine
from hythe.observe.store import LogStore

from ..live_api import ControlPlane
from .conftest import Hythe


def test_tokens(hythe: Hythe, plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    made = hythe("tokens:create", "ci", "--scope", "read")
    secret = made.out.strip()
    assert hythe("tokens:create", "ci", "--scope", "root").code == 2
    number = next(t["id"] for t in json.loads(hythe("tokens", "--json").out) if t["name"] == "ci")
    assert "ci" in hythe("tokens").out
    monkeypatch.setenv("HYTHE_TOKEN", secret)
    assert hythe("whoami").out == f"ci (read) at {plane.url}\n"
    assert hythe("apps:create", "shop").code == 3
    monkeypatch.setenv("HYTHE_TOKEN", plane.token())
    assert hythe("tokens:revoke", str(number)).code == 0
    monkeypatch.setenv("HYTHE_TOKEN", secret)
    revoked = hythe("apps")
    assert revoked.code == 3
    assert revoked.err.splitlines()[0] == " !    The token 'ci' was revoked."


def test_login_keeps_the_token_for_the_owner_only(
    hythe: Hythe, plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{plane.token(name='me')}\n"))
    monkeypatch.delenv("HYTHE_TOKEN")
    monkeypatch.delenv("HYTHE_API")
    assert hythe("login", plane.url).code == 0
    path = credentials.default_path()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert hythe("whoami").out == f"me (manage) at {plane.url}\n"


def test_a_wrong_token_is_not_kept(
    hythe: Hythe, plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("wrong\n"))
    assert hythe("login", plane.url).code == 3
    assert not credentials.default_path().exists()


def test_without_credentials_it_says_how_to_get_them(
    hythe: Hythe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HYTHE_TOKEN")
    ran = hythe("apps")
    assert ran.code == 3
    assert "hythe login" in ran.err


def test_a_control_plane_that_is_down(hythe: Hythe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYTHE_API", "http://127.0.0.1:1")
    ran = hythe("apps")
    assert ran.code == 3
    assert ran.err == (
        " !    The control plane at http://127.0.0.1:1 does not answer.\n"
        " !    Start it with `bin/up`, or check HYTHE_API.\n"
    )


def write(plane: ControlPlane, app: App, *texts: str) -> None:
    lines = [LogLine(1_700_000_000.5, text, "web", 1, "v7") for text in texts]
    LogStore(plane.settings).append(app.id, lines)


def test_logs(hythe: Hythe, plane: ControlPlane, shop: App) -> None:
    write(plane, shop, "one", "two")
    assert hythe("logs", "-n", "1").out == "2023-11-14T22:13:20.500000+00:00 app[web.1]: two\n"
    assert hythe("logs", "-p", "worker").out == ""
    assert json.loads(hythe("logs", "--json").out)[0]["text"] == "one"
    assert hythe("logs", "-s", "moon").code == 2
    assert hythe("logs", "--text", "tw").out.endswith("two\n")
    assert hythe("logs", "-r", "7", "--since", "2023-11-14T22:13:20Z", "-n", "1").out
    assert hythe("logs", "--since", "10m").out == ""
    assert hythe("logs", "--until", "10m", "-n", "1").out.endswith("two\n")
    assert hythe("logs", "--request-id", "abc").out == ""
    assert hythe("logs", "--since", "yesterday").code == 2


def test_tail_goes_on_until_its_reader_has_enough(
    hythe: Hythe, plane: ControlPlane, shop: App, folder: Path
) -> None:
    write(plane, shop, "one")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "hythe.cli", "logs", "--tail"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as tail:
        assert tail.stdout is not None
        guard = threading.Timer(30, tail.kill)
        guard.start()
        assert tail.stdout.readline().endswith("app[web.1]: one\n")
        write(plane, shop, "two")
        assert tail.stdout.readline().endswith("app[web.1]: two\n")
        guard.cancel()
        tail.terminate()
