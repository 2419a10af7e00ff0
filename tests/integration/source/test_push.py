"""`git push`, as the stock client sees it."""

from contextlib import suppress
from pathlib import Path

import pytest
from integration.source.place import Place, WorkingCopy, eventually
from sqlalchemy import select

from hythe.model import App, Deployment, Event, Source
from hythe.transcript import Transcript


def make_copy(place: Place, app: App, name: str = "copy") -> WorkingCopy:
    copy = place.copy(app, name)
    copy.commit({"app.py": f"print('{name}')\n"}, "Say hello ✓")
    return copy


def deploy(place: Place, copy: WorkingCopy) -> Deployment:
    """Push main and let it go live."""
    push = copy.push()
    deployment = place.later.claim()
    place.later.go_live(deployment)
    assert push.end() == 0, push.output
    return place.row(deployment)


def processes_in(folder: Path) -> list[str]:
    """The processes that work in a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if entry.readlink().is_relative_to(folder):
                found.append(entry.parent.name)
    return found


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_output_streams_while_it_happens(place: Place) -> None:
    app = place.app()
    push = make_copy(place, app).push()
    deployment = place.later.claim()
    place.later.say(deployment, "Python app detected")
    push.shows("remote: -----> Python app detected")
    place.later.say(deployment, "Installing dependencies")
    push.shows("remote: -----> Installing dependencies")
    assert push.process.poll() is None
    place.later.go_live(deployment)
    assert push.end() == 0
    assert "=====> deployed (v1)" in push.output


def test_live_push_moves_the_branch_and_keeps_the_release(place: Place) -> None:
    app = place.app()
    copy = make_copy(place, app)
    head = copy.git("rev-parse", "HEAD")
    deployment = deploy(place, copy)
    assert place.refs(app) == {"refs/heads/main": head, "refs/hythe/v1": head}
    with place.database.read() as session:
        source = session.get_one(Source, deployment.source_id)
        event = session.scalars(select(Event)).one()
    assert (source.kind, source.commit) == ("git", head)
    assert (source.ref, source.previous) == ("refs/heads/main", None)
    assert source.message == "Say hello ✓"
    assert source.tree == copy.git("rev-parse", "HEAD^{tree}")
    assert (place.settings.home / source.path / "app.py").read_text() == "print('copy')\n"
    assert (deployment.kind, deployment.description) == ("push", f"Deploy {head[:7]}")
    assert (event.kind, event.actor, event.app_id) == ("deploy.create", "ada", app.id)


def test_equal_push_is_up_to_date(place: Place) -> None:
    copy = make_copy(place, place.app())
    deploy(place, copy)
    push = copy.push()
    assert push.end() == 0
    assert "Everything up-to-date" in push.output


def test_failed_build_rejects_and_says_that_nothing_serves(place: Place) -> None:
    app = place.app()
    push = make_copy(place, app).push()
    place.later.fail(place.later.claim(), "build", "No module named flask.")
    assert push.end() == 1
    assert "remote:  !     No module named flask." in push.output
    assert "[remote rejected] main -> main (build failed, nothing serves yet)" in push.output
    eventually(lambda: not place.refs(app), "no ref left of a failed build")


def test_failed_push_leaves_the_branch_and_can_be_pushed_again(place: Place) -> None:
    app = place.app()
    copy = make_copy(place, app)
    deploy(place, copy)
    before = copy.git("rev-parse", "HEAD")
    after = copy.commit({"app.py": "broken"})
    push = copy.push()
    deployment = place.later.claim()
    version = place.later.release(deployment)
    place.later.fail(deployment, "H10")
    assert push.end() == 1
    assert "(v2 never became healthy, v1 still serves)" in push.output
    refs = {"refs/heads/main": before, "refs/hythe/v1": before, f"refs/hythe/v{version}": after}
    eventually(lambda: place.refs(app) == refs, "the release kept, the branch left")
    deploy(place, copy)
    assert place.refs(app)["refs/heads/main"] == after


def test_force_push_deploys(place: Place) -> None:
    app = place.app()
    copy = make_copy(place, app)
    deploy(place, copy)
    copy.git("commit", "-q", "--amend", "-m", "Another history")
    push = copy.push("--force", "main")
    place.later.go_live(place.later.claim())
    assert push.end() == 0, push.output
    assert place.refs(app)["refs/heads/main"] == copy.git("rev-parse", "HEAD")


def test_other_branch_tag_and_deletion_are_refused(place: Place) -> None:
    copy = make_copy(place, place.app())
    deploy(place, copy)
    copy.git("tag", "one")
    for refspec in ("main:topic", "one", "main:refs/notes/x"):
        push = copy.push(refspec)
        assert push.end() == 1
        assert "hythe deploys main; push it with: git push hythe HEAD:main" in push.output
        assert "(only main deploys)" in push.output
    push = copy.push("--delete", "main")
    assert push.end() == 1
    assert "the deploy branch cannot be deleted" in push.output


def test_hidden_refs_cannot_be_pushed_or_seen(place: Place) -> None:
    copy = make_copy(place, place.app())
    deploy(place, copy)
    assert copy.push("main:refs/hythe/v9").end() == 1
    assert "refs/hythe" not in copy.git("ls-remote", "hythe")


def test_deploy_branch_goes_with_a_refused_one_unless_atomic(place: Place) -> None:
    app = place.app(deploy_branch="release/1")
    copy = make_copy(place, app)
    push = copy.push("--atomic", "main:release/1", "main:topic")
    assert push.end() == 1
    assert "refused with the others" in push.output
    push = copy.push("main:release/1", "main:topic")
    place.later.go_live(place.later.claim())
    assert push.end() == 1
    assert "[new branch]      main -> release/1" in push.output
    assert "(only release/1 deploys)" in push.output
    assert list(place.refs(app)) == ["refs/heads/release/1", "refs/hythe/v1"]


def test_deploy_branch_may_change_to_one_below_the_old(place: Place) -> None:
    app = place.app()
    copy = make_copy(place, app)
    deploy(place, copy)
    with place.database.write() as tx:
        tx.get_one(App, app.id).deploy_branch = "main/2"
    push = copy.push("main:main/2")
    place.later.go_live(place.later.claim())
    assert push.end() == 0, push.output
    assert "refs/heads/main/2" in place.refs(app)


def test_tag_object_on_the_deploy_branch_is_refused(place: Place) -> None:
    copy = make_copy(place, place.app())
    copy.git("tag", "-a", "-m", "x", "one")
    push = copy.push("one:refs/heads/main")
    assert push.end() == 1
    assert "is not a commit" in push.output


def test_pusher_who_goes_away_cancels_nothing(place: Place) -> None:
    app = place.app()
    copy = make_copy(place, app)
    push = copy.push()
    deployment = place.later.claim()
    place.later.say(deployment, "Python app detected")
    push.shows("Python app detected")
    push.kill()
    repository = place.repository(app).path
    eventually(lambda: not processes_in(repository), "git and its hook ended")
    place.later.say(deployment, "Still at it")
    place.later.go_live(deployment)
    head = copy.git("rev-parse", "HEAD")
    expected = {"refs/heads/main": head, "refs/hythe/v1": head}
    eventually(lambda: place.refs(app) == expected, "settled without the pusher")
    again = copy.push()
    assert again.end() == 0
    assert "Everything up-to-date" in again.output


def test_newest_waiting_push_wins_and_the_other_is_told(place: Place) -> None:
    app = place.app()
    copies = [make_copy(place, app, name) for name in ("one", "two", "three")]
    first = copies[0].push()
    building = place.later.claim()
    second = copies[1].push("-o", "force", "main")
    second.shows(f"Waiting for d{building.id}, which is building")
    third = copies[2].push("-o", "force", "main")
    assert second.end() == 1
    assert "(superseded by a newer push, d3)" in second.output
    assert "Superseded by a newer push, d3." in second.output
    place.later.go_live(building)
    assert first.end() == 0, first.output
    place.later.go_live(place.later.claim())
    assert third.end() == 0, third.output
    assert place.refs(app)["refs/heads/main"] == copies[2].git("rev-parse", "HEAD")
    with place.database.read() as session:
        rows = session.scalars(select(Deployment).order_by(Deployment.id)).all()
    assert [row.status for row in rows] == ["live", "superseded", "live"]
    assert all(row.ended_at for row in rows)


def test_many_pushes_at_once_corrupt_nothing(place: Place) -> None:
    app = place.app()
    copies = [make_copy(place, app, f"copy{number}") for number in range(5)]
    pushes = [copy.push("-o", "force", "main") for copy in copies]

    def all_taken() -> bool:
        with place.database.read() as session:
            return len(session.scalars(select(Deployment)).all()) == len(copies)

    eventually(all_taken, "five deployments")
    winner = place.later.claim()
    place.later.go_live(winner)
    codes = sorted(push.end() for push in pushes)
    assert codes == [0, 1, 1, 1, 1]
    assert winner.id == len(copies)
    place.repository(app).git("fsck", "--strict")
    assert set(place.refs(app)) == {"refs/heads/main", "refs/hythe/v1"}


def test_transcript_is_the_whole_story(place: Place) -> None:
    push = make_copy(place, place.app()).push()
    deployment = place.later.claim()
    place.later.say(deployment, "Ünïcode → ✓")
    place.later.go_live(deployment)
    assert push.end() == 0
    text, _ = Transcript.of(place.settings, deployment.id).read()
    assert text.splitlines() == ["-----> Ünïcode → ✓", "=====> deployed (v1)"]
    assert "remote: -----> Ünïcode → ✓" in push.output
