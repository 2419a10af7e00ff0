import pytest

from hythe.route.headers import BadHead
from hythe.route.options import Limits
from hythe.route.request import RequestHead, RequestParser


def parse(text: str) -> RequestHead:
    return RequestParser(Limits())(text.replace("\n", "\r\n").encode("latin-1") + b"\r\n")


def status_of(text: str) -> int:
    with pytest.raises(BadHead) as caught:
        parse(text)
    return caught.value.status


def test_host_is_lower_cased_and_loses_its_port_and_trailing_dot():
    head = parse("GET / HTTP/1.1\nHost: App.LocalHost.:8080\n")
    assert head.fields.host == "app.localhost"
    assert head.fields.authority == b"app.localhost:8080"


def test_absolute_form_becomes_origin_form():
    assert parse("GET http://a.b/x?y HTTP/1.1\nHost: a.b\n").target == b"/x?y"
    assert parse("GET http://a.b?y HTTP/1.1\nHost: a.b\n").target == b"/?y"
    assert parse("OPTIONS http://a.b HTTP/1.1\nHost: a.b\n").target == b"*"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET /", 400),
        ("GET / HTTP/0.9", 505),
        ("GET / HTTP/2.0", 505),
        ("GET / HTTP/1.2", 505),
        ("GET / HTTP/01.1", 400),
        ("GET / RTSP/1.0", 400),
        ("GET / ICE/1.0", 400),
        ("get / HTTP/1.1", 400),
        ("CONNECT a:443 HTTP/1.1", 405),
        ("TRACE / HTTP/1.1", 405),
        ("GET * HTTP/1.1", 400),
        ("GET http://other/ HTTP/1.1", 400),
        ("GET ftp://a/ HTTP/1.1", 400),
        ("GET /#x HTTP/1.1", 400),
        ("GET /a\\b HTTP/1.1", 400),
        ("GET /a|b HTTP/1.1", 400),
        ("GET /{a} HTTP/1.1", 400),
        ('GET /"a" HTTP/1.1', 400),
        ("GET /\xe4 HTTP/1.1", 400),
        ("GET  / HTTP/1.1", 400),
        ("GET / HTTP/1.1 ", 400),
        ("GET /" + "a" * 9000 + " HTTP/1.1", 414),
    ],
)
def test_request_lines_that_are_refused(line: str, status: int):
    assert status_of(f"{line}\nHost: a\n") == status


@pytest.mark.parametrize(
    ("block", "status"),
    [
        ("Accept: a", 400),
        ("Host: a\nHost: a", 400),
        ("Host:", 400),
        ("Host: a b", 400),
        ("Host: a/b", 400),
        ("Host: a@b", 400),
        ("Host: a:x", 400),
        ("Host: a\nContent-Length: 1\nTransfer-Encoding: chunked", 400),
        ("Host: a\nContent-Length: 1\nContent-Length: 1", 400),
        ("Host: a\nContent-Length: +1", 400),
        ("Host: a\nContent-Length: 1,1", 400),
        ("Host: a\nContent-Length: 99999999999999999999", 400),
        ("Host: a\nTransfer-Encoding: gzip", 501),
        ("Host: a\nTransfer-Encoding: gzip, chunked", 501),
        ("Host: a\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked", 400),
        ("Host: a\nTransfer-Encoding : chunked", 400),
        ("Host: a\nA: b\n c", 400),
        ("Host: a\nA: b\x00", 400),
        ("Host: a\nExpect: 200-ok", 417),
        ("Host: a\nUpgrade: websocket\nConnection: upgrade\nContent-Length: 3", 400),
        ("Host: a\nUpgrade: h2c\nConnection: upgrade\nTransfer-Encoding: chunked", 400),
        ("Host: a\nA: " + "b" * 9000, 431),
        ("Host: a" + "".join(f"\nA{i}: b" for i in range(100)), 431),
    ],
)
def test_header_blocks_that_are_refused(block: str, status: int):
    assert status_of(f"POST / HTTP/1.1\n{block}\n") == status


def test_transfer_encoding_is_refused_in_http_1_0():
    assert status_of("POST / HTTP/1.0\nHost: a\nTransfer-Encoding: chunked\n") == 400


def test_what_the_router_sets_itself_is_never_passed_on():
    block = (
        "Host: a\nConnection: close, X-Secret\nX-Secret: 1\nKeep-Alive: 5\nTE: trailers\n"
        "X-Forwarded-For: 1.2.3.4\nX-Forwarded-Prefix: /x\nForwarded: for=1\nX-Request-Id: r\n"
        "X_Forwarded_For: 6.6.6.6\nContent-Length: 003\nCookie: a=b\n"
    )
    head = parse(f"POST / HTTP/1.1\n{block}")
    assert head.block.passed == b"Cookie: a=b\r\n"
    assert head.length == 3
    assert not head.keep_alive


def test_cookies_change_and_all_else_is_known():
    parser = RequestParser(Limits())
    for n in range(5):
        text = f"GET / HTTP/1.1\r\nHost: a\r\nCookie: a={n}\r\nA: b\r\ncookie: c={n}\r\n\r\n"
        head = parser(text.encode())
        assert sorted(head.block.passed.split(b"\r\n")[:-1]) == [
            b"A: b",
            b"Cookie: a=%d" % n,
            b"cookie: c=%d" % n,
        ]
        for bad in (text.replace("a=", "a\x01="), text.replace("c=", "c\x00=")):
            with pytest.raises(BadHead):
                parser(bad.encode())
        hidden = parser(text.replace("Host: a", "Host: a\r\nConnection: cookie").encode())
        assert hidden.block.passed == b"A: b\r\n"


def test_a_cookie_counts_among_the_headers():
    lines = "".join(f"\nA{i}: b" for i in range(98))
    assert parse(f"GET / HTTP/1.1\nHost: a{lines}\nCookie: a=b\n")
    assert status_of(f"GET / HTTP/1.1\nHost: a{lines}\nB: c\nCookie: a=b\n") == 431


def test_an_upgrade_that_is_no_websocket_is_stripped():
    head = parse(
        "GET / HTTP/1.1\nHost: a\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\n"
        "HTTP2-Settings: AAMAAABk\nCookie: a=b\n"
    )
    assert head.block.passed == b"Cookie: a=b\r\n"
    assert not head.websocket


def test_a_websocket_handshake_must_be_whole():
    whole = (
        "Host: a\nConnection: keep-alive, Upgrade\nUpgrade: websocket\n"
        "Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"
    )
    assert parse(f"GET / HTTP/1.1\n{whole}").websocket
    assert not parse(f"POST / HTTP/1.1\n{whole}").websocket
    assert not parse(f"GET / HTTP/1.0\n{whole}").websocket
    assert not parse(f"GET / HTTP/1.1\n{whole.replace('13', '8')}").websocket
    assert not parse(f"GET / HTTP/1.1\n{whole.replace('dGhl', '')}").websocket


def test_keep_alive_follows_the_version():
    assert parse("GET / HTTP/1.1\nHost: a\n").keep_alive
    assert not parse("GET / HTTP/1.0\nHost: a\n").keep_alive
    assert parse("GET / HTTP/1.0\nHost: a\nConnection: keep-alive\n").keep_alive


def test_unsafe_forwarded_values_are_not_believed_even_from_a_trusted_peer():
    fields = parse('GET / HTTP/1.1\nHost: a\nX-Forwarded-For: "x\nX-Request-Id: a b\n').fields
    assert fields.forwarded_for == b""
    assert fields.request_id == b""
