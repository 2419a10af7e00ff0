"""No server that reads a path in its own way may see another route's path than the router did."""

import itertools
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from hythe.route import paths

PIECES = ("api", "v2", "x", "..", ".", "", "%2e%2e", "%2E", "..;a=1", ".;", "%61pi", "%2f", "%5C")
PREFIXES = ("/api/v2", "/api")


def decode(path: str) -> str:
    return re.sub("%2f|%5c", "/", path, flags=re.IGNORECASE)


def merge(path: str) -> str:
    return re.sub("/+", "/", path)


def resolve(path: str) -> str:
    """RFC 3986, 5.2.4, in its own words, and with parameters cut off dot segments."""
    rest, out = re.sub(r"(?<=/)(\.\.?);[^/]*", r"\1", path), ""
    while rest:
        if rest.startswith("/./") or rest == "/.":
            rest = "/" + rest[3:]
        elif rest.startswith("/../") or rest == "/..":
            rest, out = "/" + rest[4:], out.rpartition("/")[0]
        else:
            segment = re.match("/?[^/]*", rest)[0]
            rest, out = rest[len(segment) :], out + segment
    return out


def rule(path: str) -> str:
    return next((p for p in PREFIXES if path == p or path.startswith(p + "/")), "")


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=7), st.sampled_from(["", "?a=/.."]))
@settings(max_examples=400, deadline=None)
def test_what_the_router_lets_pass_is_the_same_route_to_every_server(pieces, query):
    path = "/" + "/".join(pieces)
    seen = {rule(reading) for reading in paths.readings((path + query).encode())}
    if len(seen) > 1:
        return  # answered with 400
    plain = re.sub("%61", "a", re.sub("%2e", ".", path, flags=re.IGNORECASE))
    for count in range(4):
        for steps in itertools.permutations((decode, merge, resolve), count):
            read = plain
            for step in steps:
                read = step(read)
            assert {rule(read)} == seen, steps


@given(st.lists(st.sampled_from(("api", "v2", "x", "a%20b", "1")), min_size=1, max_size=5))
def test_plain_paths_are_never_refused(pieces):
    path = "/" + "/".join(pieces)
    assert {rule(reading) for reading in paths.readings(path.encode())} == {rule(path)}
