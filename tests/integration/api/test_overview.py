"""How apps are doing, at a glance."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from builders import make_app, make_deployment, make_formation, make_release
from sqlalchemy import event

from hythe.model import App, Instance, Write

from .live_api import ControlPlane


def instances(tx: Write, app: App, **states: str) -> None:
    """Instances by name, such as web_1="up"."""
    for host, (name, state) in enumerate(states.items(), start=16):
        process, _, index = name.partition("_")
        tx.add(
            Instance(
                app_id=app.id,
                deployment_id=app.serving_id,
                process=process,
                index=int(index),
                address=f"10.192.{app.id}.{host}",
                state=state,
            )
        )


def serving(plane: ControlPlane, tx: Write, name: str = "shop", **quantities: int) -> App:
    app = make_app(tx, name)
    release = make_release(tx, plane.vault, plane.settings, app)
    app.serving_id = make_deployment(tx, app, release).id
    make_formation(tx, app, **(quantities or {"web": 1}))
    return app


def nothing(plane: ControlPlane, tx: Write) -> None:
    make_app(tx)


def first_deployment(plane: ControlPlane, tx: Write) -> None:
    make_deployment(tx, make_app(tx), status="building")


def first_failure(plane: ControlPlane, tx: Write) -> None:
    make_deployment(tx, make_app(tx), status="failed")


def running(plane: ControlPlane, tx: Write) -> None:
    instances(tx, serving(plane, tx), web_1="up")


def failure_later(plane: ControlPlane, tx: Write) -> None:
    make_deployment(tx, serving(plane, tx), status="failed")


def queued_behind_a_rollout(plane: ControlPlane, tx: Write) -> None:
    app = serving(plane, tx)
    make_deployment(tx, app, status="rolling")
    make_deployment(tx, app, status="superseded")


def scaled_to_nothing(plane: ControlPlane, tx: Write) -> None:
    serving(plane, tx, web=0)


def one_of_two_crashed(plane: ControlPlane, tx: Write) -> None:
    instances(tx, serving(plane, tx, web=2), web_1="up", web_2="crashed")


def all_workers_crashed(plane: ControlPlane, tx: Write) -> None:
    app = serving(plane, tx, web=1, worker=2)
    instances(tx, app, web_1="up", worker_1="crashed", worker_2="crashed")


@pytest.mark.parametrize(
    ("make", "state", "counts"),
    [
        (nothing, "empty", (0, 0, 0)),
        (first_deployment, "deploying", (0, 0, 0)),
        (first_failure, "failed", (0, 0, 0)),
        (running, "live", (1, 1, 0)),
        (failure_later, "live", (1, 0, 0)),
        (queued_behind_a_rollout, "deploying", (1, 0, 0)),
        (scaled_to_nothing, "stopped", (0, 0, 0)),
        (one_of_two_crashed, "live", (2, 1, 1)),
        (all_workers_crashed, "crashed", (3, 1, 2)),
    ],
)
def test_the_state_of_an_app(
    plane: ControlPlane,
    api: httpx.Client,
    make: Callable[[ControlPlane, Write], None],
    state: str,
    counts: tuple[int, int, int],
) -> None:
    with plane.database.write() as tx:
        make(plane, tx)
    (listed,) = api.get("/v1/apps").json()["items"]
    shown = api.get("/v1/apps/shop").json()
    assert listed["state"] == state
    assert listed["instances"] == dict(zip(("wanted", "up", "crashed"), counts, strict=True))
    for key in ("state", "instances", "last_deployment"):
        assert shown[key] == listed[key]


def test_each_app_has_its_own_last_deployment(plane: ControlPlane, api: httpx.Client) -> None:
    with plane.database.write() as tx:
        for name in ("one", "two", "three"):
            make_deployment(tx, make_app(tx, name), status="failed")
        make_app(tx, "untouched")
    listed = {app["name"]: app for app in api.get("/v1/apps").json()["items"]}
    shown = {name: api.get(f"/v1/apps/{name}").json()["last_deployment"] for name in listed}
    assert {name: app["last_deployment"] for name, app in listed.items()} == shown
    assert len({last["id"] for last in shown.values() if last}) == 3
    assert listed["two"]["state"] == "failed"
    assert (listed["untouched"]["state"], shown["untouched"]) == ("empty", None)


def test_a_list_of_many_apps_takes_no_more_queries(plane: ControlPlane, api: httpx.Client) -> None:
    def queries() -> int:
        seen: list[str] = []

        def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
            seen.append(statement)

        event.listen(plane.database.engine, "before_cursor_execute", note)
        api.get("/v1/apps")
        event.remove(plane.database.engine, "before_cursor_execute", note)
        return len(seen)

    with plane.database.write() as tx:
        instances(tx, serving(plane, tx, "app-0"), web_1="up")
    api.get("/v1/apps")  # notes the token's use
    few = queries()
    with plane.database.write() as tx:
        for number in range(1, 30):
            instances(tx, serving(plane, tx, f"app-{number}"), web_1="up")
    assert queries() == few <= 8
