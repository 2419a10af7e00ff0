"""When bin/up builds the dashboard again, and what it says when it cannot."""

import os
import stat
from pathlib import Path

import pytest
from setup import account, dashboard
from setup.output import Problem
from setup.place import Place

NPM = """\
#!/bin/sh
echo "$@" >> calls
case "$1" in
    ci) rm -rf node_modules; mkdir node_modules ;;
    run) mkdir -p dist; echo page > dist/index.html ;;
esac
[ ! -f broken ] || { echo "npm error errno: 'ECONNREFUSED',"; exit 1; }
"""


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dashboard of two files, and an npm that notes what it is asked for."""
    web, programs = tmp_path / "web", tmp_path / "bin"
    for path, text in {"package-lock.json": "{}", "src/main.tsx": "one", "calls": ""}.items():
        (web / path).parent.mkdir(parents=True, exist_ok=True)
        (web / path).write_text(text)
    programs.mkdir()
    for name, text in {"npm": NPM, "node": "#!/bin/sh\necho v22.1.0\n"}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    places = {
        "WEB": web,
        "BUILT": web / "dist" / "index.html",
        "STAMP": web / "node_modules" / ".hythe.json",
        "LOCK": web / "package-lock.json",
        "GENERATED": web / "calls",
    }
    for name, path in places.items():
        monkeypatch.setattr(dashboard, name, path)
    return web


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place.of({"HYTHE_HOME": str(tmp_path / "home"), "HYTHE_API_PORT": "1"})
    place.make()
    return place


def calls(web: Path) -> list[str]:
    """What npm was asked for since the last time."""
    asked = [line.split()[0] for line in (web / "calls").read_text().splitlines()]
    (web / "calls").write_text("")
    return asked


def test_it_is_built_when_its_sources_changed_and_only_then(web: Path, place: Place) -> None:
    assert not dashboard.ready()
    dashboard.build(place)
    assert calls(web) == ["ci", "run"]
    assert dashboard.ready()
    dashboard.build(place)
    assert calls(web) == []
    (web / "src" / "main.tsx").write_text("two")
    assert not dashboard.ready()
    dashboard.build(place)
    assert calls(web) == ["run"]
    (web / "package-lock.json").write_text("{ }")
    dashboard.build(place)
    assert calls(web) == ["ci", "run"]
    (web / "dist" / "index.html").unlink()
    dashboard.build(place)
    assert calls(web) == ["run"]


def test_a_renamed_file_counts_as_a_change(web: Path, place: Place) -> None:
    dashboard.build(place)
    (web / "src" / "main.tsx").rename(web / "src" / "other.tsx")
    assert not dashboard.ready()


def test_a_failure_names_the_log_and_is_tried_again(web: Path, place: Place) -> None:
    (web / "broken").touch()
    with pytest.raises(Problem) as caught:
        dashboard.build(place)
    assert "could not reach its servers" in caught.value.cause
    assert str(place.logs / "dashboard.log") in caught.value.fix
    (web / "broken").unlink()
    dashboard.build(place)
    assert dashboard.ready()


def test_no_set_up_link_where_nobody_answers(place: Place) -> None:
    assert account.setup_url(place) is None
