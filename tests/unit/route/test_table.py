from hythe.route.table import LiveTable
from hythe.wire import Route, RouteTable, Target


def make_table(sequence: int, *targets: str, hosts: tuple[str, ...] = ("a.localhost",)):
    route = Route("a", hosts, tuple(Target(t, "127.0.0.1", 5000) for t in targets))
    return RouteTable(1, sequence, (route,))


def test_a_target_that_stays_keeps_its_count():
    live = LiveTable(lambda: None)
    live.swap(make_table(1, "i1"))
    live.find("a.localhost").upstreams[0].enter()
    live.swap(make_table(2, "i1", "i2"))
    assert live.in_flight() == {"i1": 1}
    assert [u.target.id for u in live.find("a.localhost").upstreams] == ["i1", "i2"]


def test_a_retired_target_is_counted_until_it_is_quiet():
    quiet = []
    live = LiveTable(lambda: quiet.append(1))
    live.swap(make_table(1, "i1"))
    upstream = live.find("a.localhost").upstreams[0]
    upstream.enter()
    upstream.enter()
    live.swap(make_table(2, "i2"))
    upstream.leave()
    assert live.in_flight() == {"i1": 1}
    assert quiet == []
    upstream.leave()
    assert live.in_flight() == {}
    assert quiet == [1]
    assert upstream not in live.upstreams.values()


def test_a_target_that_comes_back_is_the_same_again():
    live = LiveTable(lambda: None)
    live.swap(make_table(1, "i1"))
    upstream = live.find("a.localhost").upstreams[0]
    upstream.enter()
    live.swap(make_table(2))
    live.swap(make_table(3, "i1"))
    assert live.find("a.localhost").upstreams == [upstream]
    upstream.leave()
    assert upstream in live.upstreams.values()


def test_hosts_that_left_are_not_found():
    live = LiveTable(lambda: None)
    live.swap(make_table(1, hosts=("a.localhost", "www.example.com")))
    live.swap(make_table(2))
    assert live.find("www.example.com") is None
    assert live.version == (1, 2)
