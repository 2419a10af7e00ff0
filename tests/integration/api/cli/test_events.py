import json

from hythe.model import App

from ..live_api import ControlPlane
from .conftest import Hythe


def test_events_are_shown_with_who_and_what_to_do(
    hythe: Hythe, plane: ControlPlane, shop: App
) -> None:
    with plane.database.write() as tx:
        tx.note("app.scale", "Scale web=2", actor="alice", app_id=shop.id)
        tx.note("instance.crash", "web.1: Process exited", app_id=shop.id, fix="See its log.")
        tx.note("engine.away", "It does not answer.")
    shown = hythe("events").out.splitlines()
    assert [line[21:] for line in shown[-3:]] == [
        "shop  app.scale  Scale web=2 (by alice)",
        "shop  instance.crash  web.1: Process exited",
        "-> See its log.",
    ]
    (event,) = json.loads(hythe("events", "-k", "instance", "--json").out)
    assert (event["app"], event["actor"]) == ("shop", "hythe")
