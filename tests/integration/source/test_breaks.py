"""Restarts, breaks and nonsense."""

import gzip
import socket
import urllib.error
import urllib.request

import pytest
from integration.source.place import Place, WorkingCopy, eventually

from hythe.model import App, Deployment
from hythe.source.repository import HELD
from hythe.source.settle import Settler


def make_copy(place: Place, app: App) -> WorkingCopy:
    copy = place.copy(app)
    copy.commit({"app.py": "print()\n"})
    return copy


def test_push_without_the_stage_is_rejected_with_the_fix(place: Place) -> None:
    copy = make_copy(place, place.app())
    place.stage.stop()
    push = copy.push()
    assert push.end() == 1
    assert "Start it with: bin/up" in push.output
    assert "(Hythe is not running)" in push.output


def test_restart_tells_the_pusher_and_settles_afterwards(place: Place) -> None:
    app = place.app()
    copy = make_copy(place, app)
    push = copy.push()
    deployment = place.later.claim()
    place.later.say(deployment, "Python app detected")
    push.shows("Python app detected")
    place.stage.stop()
    assert push.end() == 1
    assert "A deployment that had begun goes on." in push.output
    assert "(lost the connection to Hythe)" in push.output
    place.later.go_live(deployment)
    head = copy.git("rev-parse", "HEAD")
    assert list(place.refs(app)) == [f"{HELD}1"]
    again = place.another_stage()
    again.start()
    expected = {"refs/heads/main": head, "refs/hythe/v1": head}
    eventually(lambda: place.refs(app) == expected, "settled after the restart")
    again.stop()


def test_start_lays_out_anew_what_a_power_cut_damaged(place: Place) -> None:
    copy = make_copy(place, place.app())
    push = copy.push()
    deployment = place.later.claim()
    place.stage.stop()
    push.end()
    root = place.settings.home / "sources" / str(deployment.app_id)
    tree = copy.git("rev-parse", "HEAD^{tree}")
    (root / tree / "app.py").write_text("")
    (root / ".new-left-behind").mkdir()
    lock = place.repository(App(id=deployment.app_id)).path / "refs" / "heads" / "main.lock"
    lock.touch()
    again = place.another_stage()
    again.start()
    again.stop()
    assert (root / tree / "app.py").read_text() == "print()\n"
    assert not lock.exists()
    assert [path.name for path in root.iterdir()] == [tree]


def test_source_that_was_never_committed_is_let_go_at_the_start(place: Place) -> None:
    app = place.app()
    copy = make_copy(place, app)
    push = copy.push()
    place.later.fail(place.later.claim(), "build")
    push.end()
    place.stage.stop()
    place.repository(app).hold(99, copy.git("rev-parse", "HEAD"))
    again = place.another_stage()
    again.start()
    eventually(lambda: not place.refs(app), "no ref of a source without a row")
    again.stop()


@pytest.mark.parametrize("others", [0, 1])
def test_a_database_that_never_knew_the_app_costs_no_code(place: Place, others: int) -> None:
    """It is that of yesterday, say, and the app is of today."""
    for number in range(others):
        place.app(f"old{number}")
        with place.database.write() as tx:
            tx.note("app.destroyed", "another is gone", app=77)
    app = App(id=9, name="new")
    repository = place.repository(app)
    repository.ensure("main")
    copy = make_copy(place, app)
    head = copy.git("rev-parse", "HEAD")
    repository.git("fetch", "-q", str(copy.folder), "HEAD:refs/hythe/v1")
    Settler(place.settings, place.database)._clear(app.id)
    (aside,) = (place.settings.home / "repositories-without-app").glob("9-*.git")
    assert not repository.path.exists()
    assert copy.git(f"--git-dir={aside}", "rev-parse", "refs/hythe/v1") == head


def test_a_start_does_not_give_an_apps_code_to_a_later_one(place: Place) -> None:
    """Ids are given again after a database of yesterday was restored."""
    place.stage.stop()
    lost = place.repository(App(id=9))
    lost.ensure("main")
    again = place.another_stage()
    again.start()
    eventually(lambda: not lost.path.exists(), "moved aside at the start")
    again.stop()


def test_destroyed_app_leaves_no_code(place: Place) -> None:
    app = place.app()
    push = make_copy(place, app).push()
    deployment = place.later.claim()
    repository = place.repository(app).path
    assert repository.exists()
    with place.database.write() as tx:
        tx.delete(tx.get_one(Deployment, deployment.id))
        tx.flush()
        tx.delete(tx.get_one(App, app.id))
        tx.note("app.destroyed", "it is gone", app=app.id)
        tx.poke(app.id)
    assert push.end() == 1
    assert "(the app was destroyed)" in push.output
    eventually(lambda: not repository.exists(), "the repository gone")
    assert not (place.settings.home / "sources" / str(app.id)).exists()


def test_push_that_breaks_off_midway_changes_nothing(place: Place) -> None:
    app = place.app()
    make_copy(place, app).git("ls-remote", "hythe")
    host, port = place.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            b"POST /shop.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
            b"00a50000000000000000000000000000000000000000"
        )
    repository = place.repository(app)
    eventually(lambda: not list(repository.path.glob("objects/tmp_objdir*")), "nothing left behind")
    assert place.refs(app) == {}


def test_unknown_service_is_not_found(place: Place) -> None:
    place.app()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{place.url}/shop.git/info/refs?service=git-evil")


@pytest.mark.parametrize("body", [b"nonsense", gzip.compress(b"zzzz", mtime=0)])
def test_nonsense_is_answered_with_an_error(place: Place, body: bytes) -> None:
    place.app()
    request = urllib.request.Request(
        f"{place.url}/shop.git/git-receive-pack", body, {"Content-Encoding": "gzip"}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=20)
    assert caught.value.code in (400, 422, 503)
