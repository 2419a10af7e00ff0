"""Pushes that meet others on their way: newer code, and newer releases of the same code."""

import pytest
from integration.source.place import Place, WorkingCopy

from hythe.model import App, Deployment, supersede
from hythe.transcript import Transcript

pytestmark = pytest.mark.one_database("git is what differs here")


def make_copies(place: Place, app: App) -> tuple[WorkingCopy, WorkingCopy]:
    """Two copies of what is live."""
    first = place.copy(app, "ada")
    first.commit({"app.py": "print()\n"})
    push = first.push()
    place.later.go_live(place.later.claim())
    assert push.end() == 0, push.output
    second = place.copy(app, "bob")
    second.git("pull", "-q", "hythe", "main")
    return first, second


def test_a_push_that_would_undo_one_on_its_way_is_refused(place: Place) -> None:
    app = place.app()
    ada, bob = make_copies(place, app)
    newer = ada.commit({"ada.py": "1"})
    first = ada.push()
    building = place.later.claim()
    bob.commit({"bob.py": "1"})
    second = bob.push()
    assert second.end() == 1
    said = f"{newer[:7]} of ada is on its way to main (d{building.id}), and your commit does not"
    assert said in second.output
    assert "git push -o force hythe HEAD:main" in second.output
    assert "(not taken in, nothing changed)" in second.output
    place.later.go_live(building)
    assert first.end() == 0, first.output
    assert place.refs(app)["refs/heads/main"] == newer


def test_a_stale_push_may_replace_it_by_a_push_option(place: Place) -> None:
    app = place.app()
    ada, bob = make_copies(place, app)
    ada.commit({"ada.py": "1"})
    first = ada.push()
    place.later.go_live(place.later.claim())
    assert first.end() == 0, first.output
    ada.commit({"ada.py": "2"})
    first = ada.push()
    building = place.later.claim()
    bob.git("pull", "-q", "--rebase", "hythe", "main")
    replacing = bob.commit({"bob.py": "1"})
    second = bob.push("-o", "force", "main")
    second.shows("Waiting for")
    place.later.go_live(building)
    place.later.go_live(place.later.claim())
    assert (first.end(), second.end()) == (0, 0), second.output
    assert place.refs(app)["refs/heads/main"] == replacing


def test_a_push_upon_the_one_on_its_way_is_taken_in(place: Place) -> None:
    app = place.app()
    ada, _ = make_copies(place, app)
    ada.commit({"ada.py": "1"})
    first = ada.push()
    building = place.later.claim()
    newest = ada.commit({"ada.py": "2"})
    second = ada.push()
    second.shows("Waiting for")
    place.later.go_live(building)
    place.later.go_live(place.later.claim())
    assert (first.end(), second.end()) == (0, 0), second.output
    assert place.refs(app)["refs/heads/main"] == newest


def test_a_failed_push_is_in_nobodys_way(place: Place) -> None:
    ada, bob = make_copies(place, place.app())
    ada.commit({"ada.py": "1"})
    first = ada.push()
    place.later.fail(place.later.claim(), "build")
    assert first.end() == 1
    bob.commit({"bob.py": "1"})
    second = bob.push()
    place.later.go_live(place.later.claim())
    assert second.end() == 0, second.output


def test_a_push_whose_code_goes_live_under_a_newer_config_succeeds(place: Place) -> None:
    app = place.app()
    ada, bob = make_copies(place, app)
    head = ada.commit({"ada.py": "1"})
    push = ada.push()
    deployment = place.later.claim()
    place.later.release(deployment)
    heir = place.later.set_config(deployment)
    push.shows(f"Superseded by a newer config, d{heir.id}.")
    place.later.say(heir, "Starting web.1")
    push.shows("Starting web.1")
    bob.commit({"bob.py": "1"})
    stale = bob.push()
    assert stale.end() == 1
    assert "is on its way to main" in stale.output
    version = place.later.go_live(heir)
    assert push.end() == 0, push.output
    assert f"deployed (v{version})" in push.output
    assert place.refs(app)["refs/heads/main"] == head


def test_a_push_whose_heir_fails_is_rejected(place: Place) -> None:
    app = place.app()
    ada, _ = make_copies(place, app)
    before = place.refs(app)["refs/heads/main"]
    ada.commit({"ada.py": "1"})
    push = ada.push()
    deployment = place.later.claim()
    place.later.release(deployment)
    heir = place.later.set_config(deployment)
    version = place.later.release(heir)
    place.later.fail(heir, "H10")
    assert push.end() == 1
    assert f"(v{version} never became healthy, v1 still serves)" in push.output
    assert place.refs(app)["refs/heads/main"] == before


def test_a_rollback_takes_over_from_a_push_and_is_named(place: Place) -> None:
    ada, _ = make_copies(place, place.app())
    ada.commit({"ada.py": "1"})
    push = ada.push()
    deployment = place.later.claim()
    with place.database.write() as tx:
        old = tx.get_one(Deployment, deployment.id)
        rollback = Deployment(
            app_id=old.app_id, kind="rollback", status="built", created_by="test"
        )  # fmt: skip
        Transcript.of(place.settings, old.id).warn(supersede(tx, [old], rollback))
    assert push.end() == 1
    assert f"(superseded by a newer rollback, d{rollback.id})" in push.output
