"""Containers: what both engines promise."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from contract.kit import FAILS, STUBBORN, UP, Kit

from hythe.engine.port import Container
from hythe.errors import AddressTaken, EngineError, EngineLacks, ImageMissing

PATIENCE = 20.0  # seconds, for things that take milliseconds


def eventually(happened: Callable[[], bool]) -> None:
    """Wait for what an engine does by itself and announces to nobody."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def address(subnet: str, host: int) -> str:
    return f"{subnet.rpartition('.')[0]}.{host}"


def test_create_does_not_start(kit: Kit) -> None:
    container = kit.create()
    assert container.state == "created"
    assert container.started_at is None
    assert container.exit_code is None


def test_repeated_create_returns_the_first_as_it_is(kit: Kit) -> None:
    first = kit.started(name="once" + kit.prefix)
    again = kit.create(FAILS, name=first.name)
    assert again == kit.seen(first)


def test_simultaneous_creates_make_one(kit: Kit) -> None:
    spec = kit.spec()
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(kit.instances.create, [spec] * 8))
    assert len({container.id for container in made}) == 1


def test_create_of_a_missing_image_is_refused(kit: Kit) -> None:
    with pytest.raises(ImageMissing):
        kit.create(image=kit.ref("missing"))


def test_create_in_a_missing_network_is_refused(kit: Kit) -> None:
    with pytest.raises(EngineLacks):
        kit.create(network=kit.name())


def test_running_container_is_described(kit: Kit) -> None:
    before = time.time() - 5
    container = kit.started()
    assert container.state == "running"
    assert container.exit_code is None
    assert container.started_at and before < container.started_at < time.time() + 5
    assert kit.labels.items() <= container.labels.items()
    assert kit.instances.get(container.name) == kit.instances.get(container.id)


def test_start_of_a_running_one_changes_nothing(kit: Kit) -> None:
    container = kit.started()
    kit.instances.start(container.id)
    assert kit.seen(container) == container


def test_start_of_an_absent_one_is_refused(kit: Kit) -> None:
    with pytest.raises(EngineLacks):
        kit.instances.start("0" * 64)


def test_exit_is_described(kit: Kit) -> None:
    container = kit.started(FAILS)
    assert kit.instances.wait(container.id, PATIENCE) == 3
    ended = kit.seen(container)
    assert (ended.state, ended.exit_code, ended.oom_killed) == ("exited", 3, False)
    assert ended.started_at and ended.finished_at  # the engine stamps a very short run backwards
    assert abs(ended.finished_at - ended.started_at) < PATIENCE


def test_wait_gives_up_in_time(kit: Kit) -> None:
    assert kit.instances.wait(kit.started().id, 0.2) is None


def test_wait_for_an_absent_one_is_refused(kit: Kit) -> None:
    with pytest.raises(EngineLacks):
        kit.instances.wait("0" * 64, 1)


def test_stop_lets_the_program_end_itself(kit: Kit) -> None:
    container = kit.started()
    kit.instances.stop(container.id, 20)
    assert (kit.seen(container).state, kit.seen(container).exit_code) == ("exited", 7)


def test_stop_kills_what_ignores_it_after_the_grace(kit: Kit) -> None:
    container = kit.started(STUBBORN)
    kit.instances.stop(container.id, 1)
    assert kit.seen(container).exit_code == 137


def test_stop_is_not_undone_by_the_restart_policy(kit: Kit) -> None:
    container = kit.started(restart=True)
    kit.instances.stop(container.id, 20)
    kit.instances.stop(container.id, 20)
    ended = kit.seen(container)
    assert (ended.state, ended.restart_count) == ("exited", 0)


def test_kill_is_not_undone_by_the_restart_policy(kit: Kit) -> None:
    container = kit.started(restart=True)
    kit.instances.kill(container.id)
    kit.instances.wait(container.id, PATIENCE)
    kit.instances.kill(container.id)
    ended = kit.seen(container)
    assert (ended.state, ended.exit_code, ended.restart_count) == ("exited", 137, 0)


def test_exit_is_undone_by_the_restart_policy(kit: Kit) -> None:
    container = kit.started(FAILS, restart=True)
    eventually(lambda: kit.seen(container).restart_count >= 1)
    kit.instances.stop(container.id, 1)
    assert kit.seen(container).state == "exited"


def test_a_renamed_one_is_found_by_its_new_name_only(kit: Kit) -> None:
    container = kit.create()
    name = kit.name()
    kit.instances.rename(container.id, name)
    found = kit.instances.get(name)
    assert found is not None and found.id == container.id
    assert kit.instances.get(container.name) is None
    with pytest.raises(EngineError):
        kit.instances.rename(kit.create().id, name)


def test_a_paused_one_is_frozen_and_can_be_removed(kit: Kit) -> None:
    container = kit.started()
    kit.instances.pause(container.id)
    assert kit.seen(container).state == "paused"
    kit.instances.remove(container.id)
    assert kit.instances.get(container.id) is None


def test_absent_one_is_nothing_to_stop_kill_or_remove(kit: Kit) -> None:
    container = kit.started()
    kit.instances.remove(container.id)
    kit.instances.remove(container.id)
    kit.instances.stop(container.id, 1)
    kit.instances.kill(container.id)
    assert kit.instances.get(container.id) is None


def test_list_wants_every_label_and_any_state(kit: Kit) -> None:
    created = kit.create(labels=kit.labels | {"a": "1", "b": "1"})
    ended = kit.started(FAILS, labels=kit.labels | {"a": "1", "b": "2"})
    kit.instances.wait(ended.id, PATIENCE)
    kit.create(labels=kit.labels | {"a": "2", "b": "1"})

    def names(labels: dict[str, str]) -> set[str]:
        return {container.name for container in kit.instances.list(kit.labels | labels)}

    assert names({"a": "1"}) == {created.name, ended.name}
    assert names({"a": "1", "b": "1"}) == {created.name}
    assert names({"a": "3"}) == set()


def test_logs_come_oldest_first(kit: Kit) -> None:
    container = kit.started(FAILS)
    kit.instances.wait(container.id, PATIENCE)
    assert list(kit.instances.logs(container.id)) == ["one", "two"]
    assert list(kit.instances.logs(container.id, tail=1)) == ["two"]
    assert list(kit.instances.logs(container.id, tail=0)) == []


def test_follow_starts_at_the_start_and_ends_with_the_container(kit: Kit) -> None:
    container = kit.started(FAILS)
    assert list(kit.instances.follow(container.id)) == ["one", "two"]


def test_follow_ends_when_closed(kit: Kit) -> None:
    feed = kit.instances.follow(kit.started().id)
    assert next(feed) == "up"
    with ThreadPoolExecutor(1) as threads:
        rest = threads.submit(list, feed)
        feed.close()
        assert rest.result(PATIENCE) == []


def test_logs_of_an_absent_one_are_refused(kit: Kit) -> None:
    with pytest.raises(EngineLacks):
        list(kit.instances.logs("0" * 64))


def test_fixed_address_is_kept(kit: Kit) -> None:
    network, subnet = kit.network()
    wanted = address(subnet, 77)
    container = kit.create(network=network, address=wanted)
    assert container.address == wanted
    kit.instances.start(container.id)
    assert kit.seen(container).address == wanted


def test_held_address_is_refused_and_a_freed_one_reused_at_once(kit: Kit) -> None:
    network, subnet = kit.network()
    place = {"network": network, "address": address(subnet, 77)}
    first = kit.started(**place)

    def second() -> Container:
        container = kit.create(**place, name=f"{kit.prefix}-second")
        kit.instances.start(container.id)
        return kit.seen(container)

    with pytest.raises(AddressTaken):
        second()
    kit.instances.stop(first.id, 20)
    assert second().address == first.address
    with pytest.raises(AddressTaken):
        kit.instances.start(first.id)


def test_changes_name_what_starts_dies_and_goes(kit: Kit) -> None:
    feed = kit.instances.changes(kit.labels | {"watched": "yes"})
    kit.started()
    container = kit.started(FAILS, labels=kit.labels | {"watched": "yes"})
    assert [next(feed), next(feed)] == [container.name] * 2
    kit.instances.remove(container.id)
    assert next(feed) == container.name
    feed.close()


def test_changes_end_when_closed_by_another_thread(kit: Kit) -> None:
    feed = kit.instances.changes(kit.labels)
    seen: list[str] = []
    reader = threading.Thread(target=lambda: seen.extend(feed))
    reader.start()
    feed.close()
    reader.join(PATIENCE)
    assert not reader.is_alive()
    assert seen == []


def test_up_is_what_the_tests_mean_by_it(kit: Kit) -> None:
    assert list(kit.instances.logs(kit.started(UP).id)) == ["up"]
