"""How old the disk governor takes images to be."""

from datetime import timedelta

import pytest
from builders import make_app, make_build

from hythe.build.governor import _dated
from hythe.build.prune import Held
from hythe.model import Database, now

LONG_AGO = 315_532_801.0  # 1980, of every image that was assembled


def held(app: int, build: int, identity: str) -> Held:
    return Held(f"hythe-x/app{app}:b{build}", app, identity, (), LONG_AGO, True)


def test_an_image_is_as_old_as_the_last_build_that_made_it(database: Database) -> None:
    with database.write() as tx:
        app = make_app(tx)
        first, again, other, runs = (make_build(tx, app) for _ in range(4))
        for build, days in ((first, 9), (again, 2), (other, 5)):
            build.ended_at = now() - timedelta(days=days)
        runs.ended_at = None
    images = [held(app.id, each.id, "same") for each in (first, again)]
    images += [held(app.id, other.id, "other"), held(app.id, runs.id, "new")]
    images += [Held("hythe-x/app1-layers:b1", app.id, "layers", (), 7.0, False)]
    with database.read() as session:
        dated = _dated(session, images, now().timestamp())
    days = [(now().timestamp() - each.made_at) / 86_400 for each in dated[:4]]
    assert days == pytest.approx([2, 2, 5, 0], abs=0.01)
    assert dated[4].made_at == 7.0
