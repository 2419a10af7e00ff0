"""The master's table: changes on changes come to the same as whole tables."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hythe.route.ledger import Ledger
from hythe.route.options import RouterOptions
from hythe.route.rules import RuleBook
from hythe.route.table import LiveTable
from hythe.wire import BadTable, Route, RouteTable, TableChange, Target

HOSTS = ("a.com", "b.com", "*.a.com", "a.com/x", "b.com/x/y", "c.com")


@st.composite
def tables(draw: st.DrawFn) -> tuple[Route, ...]:
    """Apps that share out the hosts among them."""
    owners = draw(st.lists(st.sampled_from(["one", "two", "three", ""]), min_size=6, max_size=6))
    return tuple(
        Route(
            app,
            tuple(host for host, owner in zip(HOSTS, owners, strict=True) if owner == app),
            tuple(Target(f"{app}{n}", "10.0.0.1", 80) for n in range(draw(st.integers(0, 2)))),
        )
        for app in ("one", "two", "three")
        if draw(st.booleans())
    )


@given(st.lists(tables(), min_size=1, max_size=8))
def test_changes_come_to_the_same_as_whole_tables(history):
    """In the master, on the wire to a worker that now and then skips some, and in the worker."""
    ledger = Ledger()
    worker = LiveTable(RuleBook(RouterOptions()), lambda: None)
    previous = RouteTable(1, 0)
    ledger.install(previous)
    worker.apply((1, 0), [])
    unsent: set[str] = set()
    for number, routes in enumerate(history, 1):
        table = RouteTable(1, number, routes)
        unsent |= ledger.change(TableChange.between(previous, table))
        previous = table
        assert {r.app: r for r in ledger.table.routes} == {r.app: r for r in routes}
        assert RouteTable.loads(ledger.document()).version == table.version
        if number % 3 and number != len(history):
            continue
        text = ledger.change_text(worker.version, unsent)
        change = TableChange.from_json(json.loads(text))
        worker.apply(change.version, change.routes, change.gone)
        unsent = set()
        fresh = LiveTable(RuleBook(RouterOptions()), lambda: None)
        fresh.apply(table.version, routes)
        for host in ("a.com", "b.com", "c.com", "z.a.com"):
            for path in (b"/", b"/x", b"/x/y"):
                there, expected = worker.find(host, path), fresh.find(host, path)
                assert (there and there.wire) == (expected and expected.wire)
        assert worker.upstreams.keys() == fresh.upstreams.keys()


def make_ledger() -> Ledger:
    ledger = Ledger()
    target = Target("i1", "10.0.0.1", 80)
    routes = (Route("a", ("a.com",), (target,)), Route("b", ("b.com",)))
    ledger.install(RouteTable(1, 1, routes))
    return ledger


def test_a_bad_change_is_refused_whole():
    ledger = make_ledger()
    before = ledger.document()
    good = Route("c", ("c.com",))
    with pytest.raises(BadTable, match=r"a\.com is routed to both a and d"):
        ledger.change(TableChange((1, 1), (1, 2), (good, Route("d", ("a.com",)))))
    with pytest.raises(BadTable, match="this is"):
        ledger.change(TableChange((1, 0), (1, 2), (good,)))
    assert ledger.document() == before


def test_a_host_may_move_in_one_change():
    ledger = make_ledger()
    moved = (Route("b", ("a.com",)), Route("a", ("b.com",)))
    assert ledger.change(TableChange((1, 1), (1, 2), moved)) == {"a", "b"}
    assert not ledger.lists("i1")
    assert ledger.change(TableChange((1, 2), (1, 3), (Route("c", ("a.com",)),), ("b",)))
    assert ledger.routes.keys() == {"a", "c"}


def test_an_equal_table_touches_nothing():
    ledger = make_ledger()
    assert ledger.install(RouteTable(1, 2, ledger.table.routes)) == set()
    assert ledger.lists("i1")
