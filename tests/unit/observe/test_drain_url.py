"""Where drains may send to, and how their addresses are shown."""

import pytest

from hythe.errors import InvalidValue
from hythe.observe.drain_url import DrainUrl


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("syslog://logs.example.com:514", "syslog://logs.example.com"),
        ("syslog://10.0.0.7:1514/", "syslog://10.0.0.7:1514"),
        ("syslog+tls://[fd00::1]:6515", "syslog+tls://[fd00::1]:6515"),
        ("https://logs.example.com", "https://logs.example.com/"),
        ("https://me:se%40cret@a.example/in", "https://me:***@a.example/in"),
        ("https://:secret@a.example/in", "https://:***@a.example/in"),
        ("http://a.example:8080/in?key=secret&app=x", "http://a.example:8080/in?key=***&app=***"),
    ],
)
def test_an_address_is_shown_without_what_is_secret(text: str, shown: str) -> None:
    url = DrainUrl.parse(text)
    assert url.shown == shown
    assert "cret" not in url.shown


def test_parts_of_an_address() -> None:
    url = DrainUrl.parse("https://me:se%40cret@a.example:8443/in?key=1")
    assert (url.host, url.port, url.target) == ("a.example", 8443, "/in?key=1")
    assert (url.user, url.password, url.tls, url.syslog) == ("me", "se@cret", True, False)
    assert DrainUrl.parse("syslog+tls://a.example").port == 6514


@pytest.mark.parametrize(
    "text",
    [
        "",
        "logs.example.com:514",
        "udp://logs.example.com:514",
        "file:///etc/passwd",
        "syslog://",
        "syslog://host:0",
        "syslog://host:99999",
        "syslog://host:x",
        "syslog://me:secret@host",
        "syslog://host/path",
        "https:///path",
        "https://host/#part",
        "https://ho st/",
        "https://host/\r\nX: y",
        "https://hôst/",
        "https://host/" + "x" * 2000,
        "https://[::1/",
    ],
)
def test_other_addresses_are_refused_without_repeating_secrets(text: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        DrainUrl.parse(text)
    assert "secret" not in refused.value.cause
    assert "syslog://" in refused.value.fix
