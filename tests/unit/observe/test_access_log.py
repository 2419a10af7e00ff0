"""Access log lines go to the app that answers for the host."""

import pytest

from hythe.observe.access_log import AccessLog, Hosts


@pytest.fixture
def hosts() -> Hosts:
    hosts = Hosts()
    hosts.learn({"shop.localhost": 1, "shop.example.com": 1, "blog.localhost": 2})
    return hosts


def access(host: str, path: str = "/") -> bytes:
    return (
        f'at=info method=GET path="{path}" host={host} request_id=1f fwd="127.0.0.1" '
        "instance=web.1 release=v7 connect=1ms service=18ms status=200 bytes=13 protocol=https"
    ).encode()


def test_a_line_goes_to_the_app_of_its_host(hosts: Hosts) -> None:
    apps = AccessLog(hosts).decode(
        [access("shop.localhost"), access("SHOP.example.com:8080"), access("blog.localhost")]
    )
    assert {app_id: len(lines) for app_id, lines in apps.items()} == {1: 2, 2: 1}
    line = apps[1][0]
    assert (line.source, line.instance, line.release) == ("router", "router", "v7")
    assert line.text == access("shop.localhost").decode()


def test_a_line_for_no_app_s_host_is_nobody_s(hosts: Hosts) -> None:
    assert AccessLog(hosts).decode([access("nobody.localhost"), b"", b"garbage \xff"]) == {}


def test_a_host_inside_a_path_is_not_taken_for_the_host(hosts: Hosts) -> None:
    log = AccessLog(hosts)
    for path in (
        '/"host=shop.localhost',
        "/\u00a0host=shop.localhost",
        '/"\u00a0host=shop.localhost',
    ):
        assert set(log.decode([access("blog.localhost", path)])) == {2}


def test_wildcards_and_paths_lead_to_their_apps(hosts: Hosts) -> None:
    hosts.learn(
        {
            "shop.example.com": 1,
            "*.example.com": 1,
            "*.eu.example.com": 2,
            "shop.example.com/blog": 2,
            "other.com/a/b": 2,
        }
    )
    found = {
        place: hosts.app_of(*place.split(" "))
        for place in (
            "shop.example.com /", "shop.example.com /blog", "shop.example.com /blog/1?x=/",
            "shop.example.com /blogs", "a.example.com /blog", "a.b.eu.example.com /",
            "other.com /a/b/c", "other.com /a", "example.com /",
        )
    }  # fmt: skip
    assert list(found.values()) == [1, 2, 2, 1, 1, 2, 2, None, None]


def test_a_line_may_be_json(hosts: Hosts) -> None:
    line = b'{"at": "info", "path": "/", "host": "blog.localhost", "release": "v3"}'
    apps = AccessLog(hosts).decode([line, b"{broken", b'{"host": 5}'])
    assert [(app, lines[0].release) for app, lines in apps.items()] == [(2, "v3")]
