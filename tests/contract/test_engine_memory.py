"""How nasty the memory engine can be, for tests that count on it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from contract.kit import FAILS, SUBNETS, UP
from images import BUSYBOX

from hythe.engine.memory import Memory
from hythe.engine.port import Container, ContainerSpec
from hythe.errors import AddressTaken, EngineAway, EngineError

LABELS = {"app": "1"}


def started(memory: Memory, name: str = "web", **fields: object) -> Container:
    given = {"command": UP, "labels": LABELS, **fields}
    spec = ContainerSpec(name, BUSYBOX, **given)  # type: ignore[arg-type]
    container = memory.engine.instances.create(spec)
    memory.engine.instances.start(container.id)
    return container


def seen(memory: Memory, name: str = "web") -> Container:
    found = memory.engine.instances.get(name)
    assert found
    return found


def test_late_exit_is_seen_only_when_it_settles(memory: Memory) -> None:
    memory.late_exits = True
    container = started(memory)
    memory.engine.instances.kill(container.id)
    assert seen(memory).state == "running"
    memory.settle()
    assert (seen(memory).state, seen(memory).exit_code) == ("exited", 137)


def test_stop_waits_for_a_late_exit(memory: Memory) -> None:
    memory.late_exits = True
    container = started(memory)
    with ThreadPoolExecutor(1) as threads:
        stopping = threads.submit(memory.engine.instances.stop, container.id, 30)
        while not stopping.done():
            memory.settle()
    assert seen(memory).exit_code == 7


def test_lost_events_are_not_told(memory: Memory) -> None:
    feed = memory.engine.instances.changes(LABELS)
    memory.lose_events = True
    started(memory, "silent")
    memory.lose_events = False
    started(memory, "told")
    assert next(feed) == "told"


def test_engine_restart_breaks_feeds_and_brings_back_what_it_should(memory: Memory) -> None:
    feed = memory.engine.instances.changes({"app": "none"})
    started(memory, "back", restart=True)
    started(memory, "gone")
    memory.engine.instances.stop(started(memory, "stopped", restart=True).id, 1)
    memory.restart_engine()
    states = {name: seen(memory, name).state for name in ("back", "gone", "stopped")}
    assert states == {"back": "running", "gone": "exited", "stopped": "exited"}
    assert seen(memory, "gone").exit_code == 137
    with pytest.raises(EngineAway):
        next(feed)


def test_failure_is_raised_once_and_changes_nothing(memory: Memory) -> None:
    memory.fail_next("create", EngineError("no"))
    with pytest.raises(EngineError, match="no"):
        started(memory)
    assert memory.engine.instances.list(LABELS) == []
    assert started(memory)


def test_away_engine_answers_nothing(memory: Memory) -> None:
    memory.away = True
    with pytest.raises(EngineAway):
        memory.engine.instances.list(LABELS)
    memory.away = False
    assert memory.engine.instances.list(LABELS) == []


def test_address_lost_while_down_keeps_it_down(memory: Memory) -> None:
    memory.engine.instances.ensure_network("net", "br0", SUBNETS, LABELS)
    place = {"network": "net", "address": "10.213.0.9"}
    started(memory, "first", **place)
    memory.exit("first", 1)
    started(memory, "thief", **place)
    with pytest.raises(AddressTaken):
        memory.engine.instances.start(seen(memory, "first").id)


def test_addresses_are_given_lowest_first_and_again_at_once(memory: Memory) -> None:
    memory.engine.instances.ensure_network("net", "br0", SUBNETS, LABELS)
    first = started(memory, "first", network="net")
    assert seen(memory, "first").address == "10.213.0.2"
    memory.engine.instances.remove(first.id)
    started(memory, "second", network="net")
    assert seen(memory, "second").address == "10.213.0.2"


def test_crash_loop_turns_once_a_settling(memory: Memory) -> None:
    started(memory, command=FAILS, restart=True)
    assert (seen(memory).state, seen(memory).restart_count) == ("restarting", 1)
    memory.settle()
    assert (seen(memory).state, seen(memory).restart_count) == ("restarting", 2)


def test_answers_come_from_who_holds_the_address(memory: Memory) -> None:
    memory.engine.instances.ensure_network("net", "br0", SUBNETS, LABELS)
    started(memory, network="net", address="10.213.0.9")
    assert memory.answer("10.213.0.9") == 200
    memory.answers["10.213.0.9"] = lambda: 502
    assert memory.answer("10.213.0.9") == 502
    memory.exit("web", 1, oom_killed=True)
    assert memory.answer("10.213.0.9") is None
    assert seen(memory).oom_killed


def test_lost_log_is_gone_and_a_printed_line_comes(memory: Memory) -> None:
    container = started(memory)
    memory.lose_log("web")
    memory.log("web", "later")
    assert list(memory.engine.instances.logs(container.id)) == ["later"]
