"""What the Docker adapter makes of other programs' text; no engine needed."""

from hythe.engine.docker.buildkit import PlainProgress
from hythe.engine.docker.firewall import chain_rules, chains
from hythe.engine.docker.networks import host_routes
from hythe.engine.docker.streams import LONGEST_LINE, lines
from hythe.engine.port import Limits

ROUTES = """Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0
docker0 000011AC 00000000 0001 0 0 0 0000FFFF 0 0 0
eth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0
"""

FAILED_BUILD = """#3 [internal] load metadata for docker.io/library/base:1
#3 DONE 0.0s
#4 [1/3] FROM docker.io/library/base:1
#4 sha256:8f5f19a4
#4 CACHED
#5 [2/3] RUN make
#5 0.165 cc -o main
#5 ERROR: executor failed running [/bin/sh -c make]: exit code: 2
------
 > [2/3] RUN make:
------
executor failed running [/bin/sh -c make]: exit code: 2
"""


def test_routes_are_all_but_the_default() -> None:
    assert [str(route) for route in host_routes(ROUTES)] == ["172.17.0.0/16", "192.0.2.0/24"]


def test_lines_of_two_streams_do_not_mix() -> None:
    pieces = [(1, b"a"), (2, b"x\r\ny"), (1, b"b\nc"), (2, b"z\n")]
    assert list(lines(pieces)) == ["x", "ab", "yz", "c"]


def test_endless_line_is_cut() -> None:
    assert len(list(lines([(1, b"x" * LONGEST_LINE)] * 3))) == 3


def test_broken_text_is_replaced() -> None:
    assert list(lines([(1, b"\xff\n")])) == ["\ufffd"]


def test_build_shows_steps_and_output_and_names_what_failed() -> None:
    progress = PlainProgress()
    shown = list(progress.read(FAILED_BUILD.splitlines(keepends=True)))
    assert shown == [
        "[1/3] FROM docker.io/library/base:1",
        "cached",
        "[2/3] RUN make",
        "cc -o main",
    ]
    assert progress.failure(Limits(memory=1 << 20)).cause == (
        "[2/3] RUN make failed: executor failed running [/bin/sh -c make]: exit code: 2"
    )


def test_killed_step_is_told_of_the_memory_limit() -> None:
    progress = PlainProgress()
    list(progress.read([*FAILED_BUILD.splitlines()[:-1], "ERROR: executor failed: exit code: 137"]))
    assert "over the 64 MiB of a build" in progress.failure(Limits(memory=64 << 20)).cause


def test_rules_end_in_a_refusal() -> None:
    rules = chain_rules("hyabc123", [8080], "169.254.0.0/16").splitlines()
    to_host, through, _ = chains("hyabc123")
    assert [rule for rule in rules if rule.startswith(f"-A {to_host} ")] == [
        f"-A {to_host} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
        f"-A {to_host} -p tcp --dport 8080 -j ACCEPT",
        f"-A {to_host} -p tcp -j REJECT --reject-with tcp-reset",
        f"-A {to_host} -j REJECT",
    ]
    assert all("-d 169.254.0.0/16" in rule for rule in rules if rule.startswith(f"-A {through}"))


def test_chain_names_fit_the_kernel() -> None:
    assert all(len(chain) <= 28 for chain in chains("hy" + "x" * 6))
