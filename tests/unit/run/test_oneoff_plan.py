"""What a one-off run needs next."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hythe.engine.port import Container
from hythe.model import Run
from hythe.run.oneoff_plan import Ask, Create, End, Ready, Start, Step, Stop, next_step

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def run(**values: Any) -> Run:
    given = {"number": 3, "kind": "detached", "state": "queued", "timeout": 600, "created_at": NOW}
    return Run(**(given | values))


def box(state: Any, **values: Any) -> Container:
    return Container("id", "name", "sha256:one", {}, state, **values)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def test_a_detached_run_is_created_started_and_ended() -> None:
    assert next_step(run(), None, NOW) == Create()
    assert next_step(run(), box("created"), NOW) == Ready()
    assert next_step(run(state="ready"), box("created"), NOW) == Start()
    running = run(state="running", started_at=ago(5))
    assert next_step(running, box("running"), NOW) is None
    assert next_step(running, box("exited", exit_code=3), NOW) == End("exited", None, 3)
    assert next_step(run(state="ended"), None, NOW) is None


def test_a_start_that_nobody_wrote_down_is_repeated() -> None:
    assert next_step(run(state="ready"), box("running"), NOW) == Start()
    assert next_step(run(state="ready"), box("exited", exit_code=0), NOW) == End("exited", None, 0)


def test_an_attached_run_waits_for_its_client_and_not_for_ever() -> None:
    ready = run(kind="attached", state="ready", ready_at=ago(5))
    assert next_step(ready, box("created"), NOW) is None
    ready.seen_at = NOW
    assert next_step(ready, box("created"), NOW) == Start()
    late = run(kind="attached", state="ready", ready_at=ago(31))
    step = next_step(late, box("created"), NOW)
    assert isinstance(step, End)
    assert step.reason == "client-gone"


@pytest.mark.parametrize("kind", ["attached", "exec"])
def test_a_client_that_is_silent_has_gone(kind: str) -> None:
    row = run(kind=kind, state="running", started_at=ago(100), seen_at=ago(29))
    assert next_step(row, box("running"), NOW) is None
    row.seen_at = ago(31)
    assert next_step(row, box("running"), NOW) == Ask("client-gone", "Its client went away.")
    row.stop = "client-gone"
    assert next_step(row, box("running"), NOW) == Stop()


def test_time_is_limited_for_all() -> None:
    for kind in ("attached", "detached", "exec"):
        row = run(kind=kind, state="running", started_at=ago(601), seen_at=NOW)
        step = next_step(row, box("running"), NOW)
        assert isinstance(step, Ask)
        assert step.reason == "timeout"


def test_the_reason_of_a_stop_is_the_reason_of_the_end() -> None:
    row = run(state="running", stop="stopped", detail="Stopped by ada.", started_at=ago(5))
    assert next_step(row, box("running"), NOW) == Stop()
    assert next_step(row, box("exited", exit_code=143), NOW) == End(
        "stopped", "Stopped by ada.", 143
    )


def test_a_run_over_its_memory_says_so() -> None:
    row = run(state="running", started_at=ago(5))
    step = next_step(row, box("exited", exit_code=137, oom_killed=True), NOW)
    assert isinstance(step, End)
    assert (step.reason, step.exit_code) == ("memory", 137)
    assert "R15" in (step.detail or "")


def test_a_container_that_went_away_is_told() -> None:
    row = run(state="running", started_at=ago(5))
    assert next_step(row, None, NOW) == End("lost", "Its container was removed by somebody else.")


def test_an_exec_ends_with_its_instance() -> None:
    row = run(kind="exec", instance="web.1", state="running", started_at=ago(60), seen_at=ago(1))
    assert next_step(row, None, NOW) is None  # who serves the client knows the exit code
    row.seen_at = ago(11)
    assert next_step(row, None, NOW) == End("lost", "web.1 ended.")
    assert next_step(row, box("exited", exit_code=0), NOW) == End("lost", "web.1 ended.")


CONTAINERS = [None, *(box(s, exit_code=0) for s in ("created", "running", "exited", "dead"))]


@given(
    kind=st.sampled_from(["attached", "detached", "exec"]),
    state=st.sampled_from(["queued", "ready", "running"]),
    container=st.sampled_from(CONTAINERS),
    stop=st.booleans(),
)
def test_after_long_silence_nothing_only_waits(
    kind: str, state: str, container: Container | None, stop: bool
) -> None:
    """Every state that a kill can leave goes on to its end, whoever is away for good."""
    row = run(kind=kind, state=state, created_at=ago(10_000), ready_at=ago(10_000))
    if state == "running":
        row.started_at = row.seen_at = ago(10_000)
    row.stop, row.detail = ("stopped", "Stopped.") if stop else (None, None)
    step: Step | None = next_step(row, container, NOW)
    assert step is not None
