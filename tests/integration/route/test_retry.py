"""Which requests are tried again, and which must not be."""

import socket
import time

import pytest
from integration.route.rig import (
    HOST,
    Wire,
    answering,
    get,
    length_of,
    make_table,
    until,
    write_table,
)


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def closing(wire, head):
    wire.exactly(length_of(head))
    raise EOFError


def post(port: int) -> int:
    wire = Wire.dial(port)
    wire.send(f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 3\r\n\r\nabc")
    return wire.response()[0]


def test_a_refused_connection_is_tried_on_another_target_even_for_a_post(
    serve, start_router, tmp_path, closed_port
):
    app = serve(answering())
    write_table(tmp_path / "t", make_table({"dead": closed_port, "alive": app.port}))
    router = start_router(table=tmp_path / "t")
    assert [post(router.port) for _ in range(20)] == [200] * 20


def test_a_get_that_met_nothing_is_tried_on_another_target(serve, route_to):
    good = serve(answering())
    router = route_to(serve(closing), good)
    assert [get(router.port)[0] for _ in range(20)] == [200] * 20


def test_a_get_is_tried_three_times_at_most(serve, route_to):
    app = serve(closing)
    assert get(route_to(app).port)[0] == 502
    assert len(app.requests) == 3


def test_a_post_that_was_sent_is_never_repeated(serve, route_to):
    app = serve(closing)
    assert post(route_to(app).port) == 502
    assert len(app.requests) == 1


def test_a_get_is_not_repeated_after_the_first_byte(serve, route_to):
    def handle(wire, head):
        wire.send("H")
        raise EOFError

    app = serve(handle)
    assert get(route_to(app).port)[0] == 502
    assert len(app.requests) == 1


def test_connections_are_kept_and_used_again(serve, route_to):
    app = serve(answering())
    router = route_to(app)
    for _ in range(20):
        assert get(router.port)[0] == 200
    assert app.connections == 1


def test_a_post_gets_a_fresh_connection(serve, route_to):
    app = serve(answering())
    router = route_to(app)
    get(router.port)
    assert post(router.port) == 200
    assert app.connections == 2


def test_an_idle_connection_that_died_costs_no_request(serve, route_to):
    def handle(wire, head):
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        time.sleep(0.002)
        raise EOFError  # without having said so

    router = route_to(serve(handle))
    assert [get(router.port)[0] for _ in range(100)] == [200] * 100


def test_idle_connections_are_closed_before_the_app_would(serve, route_to):
    from hythe.route.options import Timeouts

    ended = []

    def handle(wire, head):
        answering()(wire, head)
        ended.append(wire.sock.recv(1))
        raise EOFError

    router = route_to(serve(handle), timeouts=Timeouts(backend_idle=0.1, tick=0.05))
    get(router.port)
    until(lambda: ended == [b""])
