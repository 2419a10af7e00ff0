"""The control plane over TLS: real sockets, the real command line, a stock git."""

import datetime
import http.client
import io
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from builders import make_app

from hythe.api import certificate
from hythe.api.app import create_app
from hythe.api.certificate import Certificate
from hythe.api.server import Server, open_plain
from hythe.api.tls import TlsListener
from hythe.api.v1 import domains
from hythe.cli import credentials
from hythe.cli.main import main
from hythe.errors import BadCertificate, InvalidValue
from hythe.model import Database
from hythe.settings import Settings

from .live_api import ControlPlane, control_plane

NOW = certificate.now()


class OverTls:
    """The same control plane, also over TLS. The port is another one, since both are loopback."""

    def __init__(self, plane: ControlPlane) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.plane = plane
        self.settings = replace(plane.settings, api_port=port)
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setblocking(False)
        self.port = listening.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self.listener = TlsListener(self.settings, listening)
        self.context = replace(plane.context, certificate=lambda: self.listener.certificate)
        app = create_app(self.context)
        self.server = Server(app, self.listener, lambda: None)
        plain = [open_plain(self.settings, None)]
        self.thread = threading.Thread(target=self.server.run, args=(plain,), daemon=True)
        self.thread.start()

    @property
    def certificate(self) -> Certificate:
        return self.listener.certificate

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)


@pytest.fixture
def over_tls(settings: Settings, database: Database) -> Iterator[OverTls]:
    with control_plane(settings, database) as plane:
        over_tls = OverTls(plane)
        yield over_tls
        over_tls.stop()


@pytest.fixture
def hythe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs a command line with something on its standard input, as on another machine."""
    monkeypatch.setenv("HOME", str(tmp_path / "far"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "far"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.delenv("GIT_SSL_CAINFO", raising=False)

    def run(*arguments: str, stdin: str = "") -> tuple[int, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


Hythe = Callable[..., tuple[int, str]]


def test_the_self_signed_certificate_is_made_once_and_kept(settings: Settings) -> None:
    made = certificate.ensure(settings, NOW)
    assert made.key.stat().st_mode & 0o777 == 0o600
    assert {"hythe.localhost", "localhost", "127.0.0.1"} <= made.names
    assert certificate.ensure(settings, NOW + datetime.timedelta(days=3600)) == made
    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", str(made.file)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    digits = shown.strip().partition("=")[2].replace(":", "").lower()
    assert made.fingerprint == f"SHA256:{digits}"


@pytest.mark.parametrize(
    ("change", "days"), [({"domain": "example.com"}, 0), ({"bind": "192.0.2.7"}, 0), ({}, 3640)]
)
def test_it_is_made_again_when_it_no_longer_fits(
    settings: Settings, change: dict[str, str], days: int
) -> None:
    made = certificate.ensure(settings, NOW)
    later = NOW + datetime.timedelta(days=days)
    again = certificate.ensure(replace(settings, **change), later)
    assert again.fingerprint != made.fingerprint
    assert again.expires > later


def test_a_certificate_that_is_given_is_checked(settings: Settings, tmp_path: Path) -> None:
    made = certificate.ensure(settings, NOW)
    other = certificate.ensure(replace(settings, home=tmp_path / "other"), NOW)
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nothing")
    locked = tmp_path / "locked.pem"
    lock = ["openssl", "pkey", "-in", str(made.key), "-aes256", "-passout", "pass:x"]
    subprocess.run([*lock, "-out", str(locked)], check=True, capture_output=True)

    def refused(cert: Path | str, key: Path | str, days: int = 0) -> str:
        given = replace(settings, tls_cert=str(cert), tls_key=str(key))
        with pytest.raises(BadCertificate) as error:
            certificate.ensure(given, NOW + datetime.timedelta(days=days))
        return error.value.cause

    assert "does not belong" in refused(made.file, other.key)
    assert "cannot be read: No such file" in refused(tmp_path / "absent", made.key)
    assert "no certificate in PEM" in refused(nonsense, made.key)
    assert "no private key in PEM" in refused(made.file, nonsense)
    assert "passphrase" in refused(made.file, locked)
    assert "ran out on" in refused(made.file, made.key, days=4000)
    assert "HYTHE_TLS_CERT is not" in refused("", made.key)


@pytest.mark.parametrize(
    ("host", "covered"),
    [
        ("hythe.localhost", True),
        ("203.0.113.9", True),
        ("[::1]", True),
        ("evil.example", False),
        ("a.apps.example.com", True),
        ("b.a.apps.example.com", False),
        ("", False),
    ],
)
def test_the_gate_opens_for_the_names_in_the_certificate(host: str, covered: bool) -> None:
    names = frozenset({"hythe.localhost", "*.apps.example.com"})
    assert Certificate(Path("c"), Path("k"), names, "SHA256:0", NOW).covers(host) is covered


def test_login_pins_the_fingerprint_and_sends_no_token_before(
    over_tls: OverTls, hythe: Hythe
) -> None:
    token = over_tls.plane.token(name="far")
    code, said = hythe("login", over_tls.url, stdin=token)
    assert code == 1
    assert over_tls.certificate.fingerprint in said
    assert "--fingerprint" in said
    code, said = hythe("login", over_tls.url, "--fingerprint", "0" * 64, stdin=token)
    assert code == 3
    assert "not the one given" in said
    pinned = over_tls.certificate.fingerprint.replace("SHA256:", "sha256=").upper()
    code, said = hythe("login", over_tls.url, "--fingerprint", pinned, stdin=token)
    assert code == 0, said
    code, said = hythe("whoami")
    assert said.splitlines() == [
        f"far (manage) at {over_tls.url}", f"Certificate {over_tls.certificate.fingerprint}"
    ]  # fmt: skip
    assert hythe("logout")[0] == 0
    assert hythe("whoami")[0] == 3
    assert list((credentials.default_path().parent / "certificates").iterdir()) == []


def test_another_certificate_at_the_same_address_is_refused(
    over_tls: OverTls, hythe: Hythe
) -> None:
    token = over_tls.plane.token()
    pin = over_tls.certificate.fingerprint
    hythe("login", over_tls.url, "--fingerprint", pin, stdin=token)
    over_tls.certificate.file.unlink()
    certificate.ensure(over_tls.settings, NOW)
    over_tls.listener.reload()  # what it does every 10 s: no restart
    code, said = hythe("apps")
    assert code == 3
    assert "has changed" in said
    assert pin in said and over_tls.certificate.fingerprint in said
    assert "hythe login" in said


def test_a_bad_renewal_leaves_the_old_certificate(over_tls: OverTls) -> None:
    before = over_tls.certificate
    before.file.write_text("not a certificate")
    over_tls.listener.reload()
    assert over_tls.certificate == before
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    answer = http.client.HTTPSConnection("127.0.0.1", over_tls.port, context=context, timeout=10)
    answer.request("GET", "/healthz", headers={"Host": "203.0.113.9"})
    assert answer.getresponse().status == 200


def test_a_stock_git_push_trusts_the_pinned_certificate_and_no_other(
    over_tls: OverTls, hythe: Hythe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    pin = over_tls.certificate.fingerprint
    assert hythe("login", over_tls.url, "--fingerprint", pin, stdin=over_tls.plane.token())[0] == 0

    def git(*arguments: str) -> subprocess.CompletedProcess[str]:
        who = ("-c", "user.name=Far", "-c", "user.email=far@example.com")
        command = ["git", *who, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    git("init", "-q", "-b", "main")
    assert hythe("apps:create", "shop")[0] == 0
    (folder / "index.html").write_text("hello")
    git("add", ".")
    git("commit", "-qm", "First")
    assert git("remote", "get-url", "hythe").stdout == f"{over_tls.url}/shop.git\n"
    with over_tls.plane.carrying_out():
        pushed = git("push", "hythe", "main")
    assert pushed.returncode == 0, pushed.stderr
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("GIT_SSL_CAINFO", "/etc/ssl/certs/ca-certificates.crt")
        assert "Unset GIT_SSL_CAINFO" in hythe("git:remote", "-a", "shop")[1]
    over_tls.certificate.file.unlink()
    certificate.ensure(over_tls.settings, NOW)
    over_tls.listener.reload()
    refused = git("push", "hythe", "main")
    assert refused.returncode != 0
    assert "certificate" in refused.stderr


def test_plain_http_is_redirected_or_refused(over_tls: OverTls) -> None:
    def plain(method: str, path: str, body: bytes | None = None) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", over_tls.port, timeout=10)
        headers = {"Authorization": f"Bearer {over_tls.plane.token()}"}
        connection.request(method, path, body, headers)
        return connection.getresponse()

    moved = plain("GET", "/v1/apps?x=1")
    assert (moved.status, moved.headers["location"]) == (307, f"{over_tls.url}/v1/apps?x=1")
    refused = plain("POST", "/v1/apps", b'{"name": "shop"}' * 5000)
    assert refused.status == 403
    assert refused.headers["hythe-error"] == "tls-required"
    assert "https://" in refused.read().decode()
    assert over_tls.plane.client().get("/v1/apps").json() == {"items": []}


def test_the_command_line_sends_no_token_in_plain_text(
    hythe: Hythe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYTHE_TOKEN", "secret")
    monkeypatch.setenv("HYTHE_API", "http://hythe.example.com:7600")
    code, said = hythe("apps")
    assert code == 3
    assert "was not sent" in said and "hythe login https://hythe.example.com:7600" in said


@pytest.mark.parametrize(
    "domain", ["control.example.com", "*.example.com", "a.apps.example.com", "*.apps.example.com"]
)
def test_no_app_gets_a_name_of_the_certificate(over_tls: OverTls, domain: str) -> None:
    """A browser would send it the cookies of the dashboard."""
    names = frozenset({"control.example.com", "*.apps.example.com"})
    mine = replace(over_tls.certificate, names=names)
    with over_tls.plane.database.write() as tx:
        app = make_app(tx)
        context = replace(over_tls.context, certificate=lambda: mine)
        with pytest.raises(InvalidValue, match="certificate"):
            domains.add(tx, context, app, domain, "", "test")
        domains.add(tx, context, app, "www.example.org", "", "test")


def test_loopback_speaks_tls_too(over_tls: OverTls) -> None:
    """The router sends people on to https://hythe.DOMAIN, which may be this machine's loopback."""
    at = f"127.0.0.1:{over_tls.settings.api_port}"
    for scheme in ("http", "https"):
        answer = httpx.get(
            f"{scheme}://{at}/healthz", headers={"Host": "hythe.localhost"}, verify=False
        )
        assert answer.status_code == 200


def test_silent_and_broken_clients_hold_nobody_up(over_tls: OverTls) -> None:
    silent = [socket.create_connection(("127.0.0.1", over_tls.port)) for _ in range(20)]
    broken = socket.create_connection(("127.0.0.1", over_tls.port))
    broken.sendall(b"\x16\x03\x01nonsense that is no handshake")
    pem = ssl.get_server_certificate(("127.0.0.1", over_tls.port), timeout=10)
    assert pem.startswith("-----BEGIN")
    for connection in (*silent, broken):
        connection.close()
