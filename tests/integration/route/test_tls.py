"""TLS: which certificate a client gets, what is refused, and HTTP inside."""

import json
import signal
import socket
import ssl
import threading
from dataclasses import replace

import pytest
from integration.route.pki import certificate_of, client_context, dial_tls, make_certificate
from integration.route.rig import HOST, Wire, answering, length_of, make_table, until, write_table

from hythe.route.options import Timeouts

MEGABYTE = 1024 * 1024


def with_certificates(table, *certificates):
    (route,) = table.routes
    return replace(table, routes=(replace(route, certificates=certificates),))


@pytest.fixture
def table(tmp_path):
    """Write a table file with one app and these certificates."""

    def write(server, *certificates, sequence=1):
        made = with_certificates(make_table({"i1": server.port}, sequence), *certificates)
        write_table(tmp_path / "table.json", made)
        return tmp_path / "table.json"

    return write


@pytest.fixture
def secure(table, serve, start_router):
    """A router that speaks TLS for one app, with these certificates; gives its TLS port."""

    def start(*certificates, handle=None, **given):
        file = table(serve(handle or answering()), *certificates)
        router = start_router(table=file, tls_port=0, **given)
        router.tls_port = router.event("listening")["tls"]
        return router

    return start


def get(wire, host=HOST, path="/"):
    wire.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
    return wire.response()


def test_each_name_gets_its_certificate(secure):
    own = make_certificate(HOST)
    wild = make_certificate("*.example.com", serial=2)
    router = secure(own, wild)
    for name, serial in ((HOST, 1), (HOST.upper(), 1), ("a.example.com", 2)):
        assert certificate_of(dial_tls(router.tls_port, name)).serial_number == serial
    for name in ("a.b.example.com", "example.com", "other.org", None):
        default = certificate_of(dial_tls(router.tls_port, name))
        assert "default" in default.subject.rfc4514_string()


def test_the_operator_s_default_certificate(secure, tmp_path):
    given = make_certificate("default.example.com", serial=77)
    (tmp_path / "default.pem").write_text(given.key + given.chain)
    router = secure(certificate=tmp_path / "default.pem")
    assert certificate_of(dial_tls(router.tls_port, "x.org")).serial_number == 77


def test_certificates_are_replaced_without_a_restart(secure, table, serve):
    app = serve(answering())
    router = secure(make_certificate(HOST))
    before = dial_tls(router.tls_port, HOST)
    assert get(before)[0] == 200
    table(app, make_certificate(HOST, serial=5), sequence=2)
    until(lambda: certificate_of(dial_tls(router.tls_port, HOST)).serial_number == 5)
    assert get(before)[0] == 200  # what is open goes on


@pytest.mark.parametrize("broken", ["key", "chain", "pair"])
def test_a_table_with_a_bad_certificate_is_refused_whole(secure, table, serve, broken):
    good, other = make_certificate(HOST), make_certificate(HOST, serial=9)
    bad = {
        "key": replace(good, key="nonsense"),
        "chain": replace(good, chain=""),
        "pair": replace(good, key=other.key),
    }[broken]
    router = secure(good)
    table(serve(answering("new")), bad, sequence=2)
    reason = router.event("table refused, the old one stays")["reason"]
    assert HOST in reason
    assert "PRIVATE" not in reason
    assert get(dial_tls(router.tls_port, HOST))[2] == b"ok"


def test_the_app_learns_that_it_was_https(secure, serve):
    def show(wire, head):
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(head), head))

    router = secure(handle=show)
    head = get(dial_tls(router.tls_port, HOST))[2]
    assert b"X-Forwarded-Proto: https\r\n" in head
    assert b"X-Forwarded-Port: 443\r\n" in head
    until(lambda: "protocol=https" in router.log())


def test_a_host_that_the_connection_was_not_opened_for_is_h31(secure):
    router = secure(make_certificate(HOST, "www.localhost"))
    wire = dial_tls(router.tls_port, HOST)
    status, head, _ = get(wire, "secret.localhost")
    assert status == 421
    assert b"Hythe-Error: H31" in head
    assert get(wire)[0] == 200  # the connection goes on
    assert get(wire, "www.localhost")[0] == 404  # its certificate covers it: no misdirection
    assert get(dial_tls(router.tls_port, None))[0] == 200  # no name, nothing to compare


def test_old_versions_of_tls_are_refused(secure):
    router = secure()
    old = client_context()
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        dial_tls(router.tls_port, HOST, old)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed_by_any_worker(secure, version):
    router = secure(make_certificate(HOST), workers=2)
    context = client_context()
    context.minimum_version = context.maximum_version = version
    first = dial_tls(router.tls_port, HOST, context)
    get(first)  # the tickets of TLS 1.3 come after the handshake
    session = first.sock.session
    for _ in range(8):  # the kernel gives them to both workers
        raw = socket.create_connection(("127.0.0.1", router.tls_port))
        again = context.wrap_socket(raw, server_hostname=HOST, session=session)
        assert again.session_reused
        assert get(Wire(again))[0] == 200


def test_a_new_program_has_new_keys_for_its_tickets(secure):
    router = secure(make_certificate(HOST))
    context = client_context()
    first = dial_tls(router.tls_port, HOST, context)
    get(first)
    session = first.sock.session
    router.signal(signal.SIGUSR2)
    router.event("listening", count=2)
    router.event("old worker ended")
    raw = socket.create_connection(("127.0.0.1", router.tls_port))
    again = context.wrap_socket(raw, server_hostname=HOST, session=session)
    assert not again.session_reused
    assert get(Wire(again))[0] == 200


def test_a_handshake_that_never_ends_is_cut(secure):
    router = secure(timeouts=Timeouts(tls_handshake=0.2, tick=0.05))
    wire = Wire.dial(router.tls_port)
    wire.send(b"\x16\x03\x01")
    assert wire.rest() == b""


def test_plain_http_on_the_tls_port_is_cut(secure):
    wire = Wire.dial(secure().tls_port)
    wire.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
    assert not wire.rest().startswith(b"HTTP")


def test_a_connection_ends_with_a_close_notify(secure):
    wire = dial_tls(secure().tls_port, HOST)
    wire.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n")
    assert wire.response()[0] == 200
    assert wire.sock.recv(1) == b""  # an end without it would raise


def test_bodies_pass_both_ways(secure):
    size = 20 * MEGABYTE

    def handle(wire, head):
        left = length_of(head)
        wire.send(f"HTTP/1.1 200 OK\r\nContent-Length: {left}\r\n\r\n")
        while left:
            part = wire.exactly(min(left, MEGABYTE))
            wire.send(part)
            left -= len(part)

    wire = dial_tls(secure(handle=handle).tls_port, HOST)
    wire.send(f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {size}\r\n\r\n")
    body = bytes(range(256)) * (size // 256)
    sender = threading.Thread(target=wire.send, args=(body,))
    sender.start()
    assert wire.response()[2] == body
    sender.join()


def test_the_snapshot_is_for_its_owner_only(secure, table, serve, tmp_path):
    snapshot = tmp_path / "state" / "snapshot.json"
    secure(make_certificate(HOST), snapshot=snapshot)
    table(serve(answering()), make_certificate(HOST), sequence=2)
    until(snapshot.exists)
    assert "PRIVATE KEY" in snapshot.read_text()
    assert snapshot.stat().st_mode & 0o777 == 0o600


def with_settings(path, **settings):
    document = json.loads(path.read_text())
    document["routes"][0]["settings"] = settings
    path.write_text(json.dumps(document))


def test_https_only_redirects_and_hsts_is_told_by_https(table, serve, start_router):
    file = table(serve(answering()))
    with_settings(file, https_only=True, hsts=3600)
    router = start_router(table=file, tls_port=0)
    port = router.event("listening")["tls"]
    plain = Wire.dial(router.port)
    status, head, _ = get(plain, path="/a?b")
    assert status == 308
    assert f"Location: https://{HOST}:{port}/a?b\r\n".encode() in head
    assert b"Strict-Transport-Security" not in head
    status, head, _ = get(dial_tls(port, HOST))
    assert status == 200
    assert b"Strict-Transport-Security: max-age=3600\r\n" in head
    assert "at=error" not in router.log()


def test_the_challenge_of_a_certificate_authority_is_answered_before_all_else(
    table, serve, start_router
):
    app = serve(answering())
    file = table(app)
    with_settings(file, https_only=True)
    document = json.loads(file.read_text())
    document["routes"][0]["challenges"] = {"tok-1": "tok-1.print"}
    file.write_text(json.dumps(document))
    router = start_router(table=file, tls_port=0)
    wire = Wire.dial(router.port)
    status, head, body = get(wire, path="/.well-known/acme-challenge/tok-1")
    assert (status, body) == (200, b"tok-1.print")
    assert b"Hythe-Error" not in head
    assert get(wire, path="/.well-known/acme-challenge/other")[0] == 308
