"""The cache survives builds that fail or vanish, and no such build changes it."""

import json
import os
from pathlib import Path

import pytest

import hythe.build.cache as module
from hythe.build.cache import Cache, fingerprint
from hythe.build.layers import Layer, collect
from hythe.errors import BuildError
from hythe.suite import SUITES


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def filled(cache: Cache, tmp_path: Path) -> Path:
    """A cache with two layers, lent to a build; returns the build's layers."""
    first = tmp_path / "first"
    first.mkdir()
    cache.lend(first)
    for name in ("venv", "uv"):
        folder = first / "bp" / name
        folder.mkdir(parents=True)
        (folder / "file").write_text("good")
        (first / "bp" / f"{name}.toml").write_text("[types]\ncache = true\n[metadata]\nkey = 'k'\n")
    keep(cache, first)
    second = tmp_path / "second"
    second.mkdir()
    cache.lend(second)
    cache.remember(second)
    return second


def keep(cache: Cache, layers: Path, prints: dict[str, str] | None = None) -> None:
    made: list[tuple[str, Layer]] = [("bp", layer) for layer in collect(layers / "bp")]
    cache.keep(layers, made, prints)


def test_layers_come_back_without_types_and_with_metadata(cache: Cache, tmp_path: Path) -> None:
    layers = filled(cache, tmp_path)
    assert (layers / "bp" / "venv" / "file").read_text() == "good"
    assert (layers / "bp" / "venv.toml").read_text() == '[metadata]\nkey = "k"\n'


def test_what_is_not_cached_is_not_kept(cache: Cache, tmp_path: Path) -> None:
    layers = filled(cache, tmp_path)
    (layers / "bp" / "venv.toml").write_text("[types]\nlaunch = true\n")
    (layers / "bp" / "uv.toml").write_text("[types]\ncache = true\n")
    (layers / "bp" / "launch.toml").write_text("")
    keep(cache, layers)
    assert sorted(entry.name for entry in (cache.layers / "bp").iterdir()) == ["uv", "uv.toml"]


def test_a_failed_build_gives_back_what_it_left_unchanged(cache: Cache, tmp_path: Path) -> None:
    layers = filled(cache, tmp_path)
    (layers / "bp" / "uv" / "file").write_text("poison")
    (layers / "bp" / "venv.toml").write_text("poison")
    (layers / "bp" / "new").mkdir()
    cache.recover()
    assert sorted(entry.name for entry in (cache.layers / "bp").iterdir()) == ["venv", "venv.toml"]
    assert (cache.layers / "bp" / "venv.toml").read_text() == '[metadata]\nkey = "k"\n'


def test_stores_come_back_after_a_failed_build(cache: Cache, tmp_path: Path) -> None:
    layers = filled(cache, tmp_path)
    (layers / "bp" / "store.toml").write_text("[metadata]\nn = 1\n")
    keep(cache, layers)
    third = tmp_path / "third"
    third.mkdir()
    assert cache.lend(third)
    cache.remember(third)
    (third / "bp" / "store.toml").write_text("poison")
    cache.recover()
    assert (cache.layers / "bp" / "store.toml").read_text() == "[metadata]\nn = 1\n"


def test_a_build_that_vanished_before_it_ran_anything_gives_all_back(
    cache: Cache, tmp_path: Path
) -> None:
    filled(cache, tmp_path)
    cache.recover()
    third = tmp_path / "third"
    third.mkdir()
    cache.lend(third)  # and the control plane is killed here, before `remember`
    cache.recover()
    assert (cache.layers / "bp" / "uv" / "file").read_text() == "good"


def test_the_next_build_recovers_by_itself(cache: Cache, tmp_path: Path) -> None:
    filled(cache, tmp_path)
    third = tmp_path / "third"
    third.mkdir()
    cache.lend(third)
    assert (third / "bp" / "venv" / "file").read_text() == "good"


def test_layers_of_another_suite_are_left_out_and_gone(cache: Cache, tmp_path: Path) -> None:
    keep(cache, filled(cache, tmp_path))
    third, fourth = tmp_path / "third", tmp_path / "fourth"
    for folder, suite in ((third, SUITES["trixie"]), (fourth, SUITES["bookworm"])):
        folder.mkdir()
        cache.lend(folder, suite)
        assert list(folder.iterdir()) == []


def test_recovering_an_old_build_leaves_a_newer_ones_layers_alone(
    cache: Cache, tmp_path: Path
) -> None:
    layers = filled(cache, tmp_path)
    cache.recover(tmp_path / "first")
    assert (layers / "bp" / "venv" / "file").exists()


def test_an_edit_with_its_time_put_back_changes_the_fingerprint(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("good")
    before, status = fingerprint(tmp_path), file.stat()
    file.write_text("evil")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert fingerprint(tmp_path) != before


def test_moving_a_layer_keeps_its_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "a" / "inner").mkdir(parents=True)
    before = fingerprint(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert fingerprint(tmp_path / "b") == before


def fingerprints(cache: Cache, tmp_path: Path) -> dict[str, str]:
    """What the next build notes of the layers that it is lent."""
    lent(cache, tmp_path / "next")
    known = json.loads((cache.folder / "lent.json").read_text())["known"]
    return {name: facts["fingerprint"] for name, facts in known.items()}


def kept(cache: Cache, tmp_path: Path) -> None:
    """A cache with two layers; the fingerprint that the export took of one is made up."""
    layers = filled(cache, tmp_path)
    for name in ("venv", "uv"):
        (layers / "bp" / f"{name}.toml").write_text("[types]\ncache = true\n")
    keep(cache, layers, {"bp/venv": "of the export"})


def test_a_known_fingerprint_is_not_taken_again(cache: Cache, tmp_path: Path) -> None:
    kept(cache, tmp_path)
    folder = cache.layers / "bp" / "uv"
    prints = fingerprints(cache, tmp_path)
    assert prints["bp/venv"] == "of the export"
    assert prints["bp/uv"] == fingerprint(tmp_path / "next" / "bp" / "uv")
    assert not folder.exists()


def test_a_look_takes_the_fingerprints_that_no_export_took(cache: Cache, tmp_path: Path) -> None:
    kept(cache, tmp_path)
    expected = fingerprint(cache.layers / "bp" / "uv")
    cache.look()
    (cache.layers / "bp" / "uv" / "file").write_text("later")  # only to see what is remembered
    assert fingerprints(cache, tmp_path) == {"bp/venv": "of the export", "bp/uv": expected}


def test_a_look_while_a_build_has_the_layers_leaves_nothing(cache: Cache, tmp_path: Path) -> None:
    filled(cache, tmp_path)
    cache.look()
    assert not (cache.folder / "prints.json").exists()


def test_a_look_that_a_whole_build_overtook_is_dropped(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(cache, tmp_path)

    def slowly(folder: Path) -> str:
        """In the meantime another process builds, and changes what is read here."""
        monkeypatch.undo()
        layers = lent(cache, tmp_path / "other")
        (layers / "bp" / "uv" / "file").write_text("other")
        for name in ("venv", "uv"):
            (layers / "bp" / f"{name}.toml").write_text("[types]\ncache = true\n")
        keep(cache, layers)
        return "of what was there before"

    monkeypatch.setattr(module, "fingerprint", slowly)
    cache.look()
    assert fingerprints(cache, tmp_path)["bp/uv"] == fingerprint(tmp_path / "next" / "bp" / "uv")


def test_fingerprints_are_those_of_the_build_before_only(cache: Cache, tmp_path: Path) -> None:
    """A build that fails takes them with it, and what it changed does not come back."""
    kept(cache, tmp_path)
    cache.look()
    layers = lent(cache, tmp_path / "fails")
    (layers / "bp" / "uv" / "file").write_text("poison")
    cache.recover()
    assert list(fingerprints(cache, tmp_path)) == []  # that of venv was made up, so it is gone too


def launch(cache: Cache, layers: Path, *, folder: bool) -> list[Layer]:
    """A build that makes the launch layer `app`, or wants that of the last image."""
    declared = layers / "bp" / "app.toml"
    declared.parent.mkdir(exist_ok=True)
    declared.write_text("[types]\nlaunch = true\n[metadata]\nkey = 'k'\n")
    if folder:
        (layers / "bp" / "app").mkdir()
        (layers / "bp" / "app" / "file").write_text("made")
    made = collect(layers / "bp", cache.launch / "bp")
    cache.keep(layers, [("bp", layer) for layer in made])
    return made


def lent(cache: Cache, path: Path) -> Path:
    path.mkdir()
    cache.lend(path)
    cache.remember(path)
    return path


def test_a_launch_layer_is_told_of_and_may_be_taken_again(cache: Cache, tmp_path: Path) -> None:
    launch(cache, lent(cache, tmp_path / "one"), folder=True)
    second = lent(cache, tmp_path / "two")
    assert (second / "bp" / "app.toml").read_text() == '[metadata]\nkey = "k"\n'
    assert not (second / "bp" / "app").exists()
    (again,) = launch(cache, second, folder=False)
    assert again.metadata == {"key": "k"}
    (third,) = launch(cache, lent(cache, tmp_path / "three"), folder=False)
    assert third.metadata == {"key": "k"}
    assert (cache.launch / "bp" / "app" / "file").read_text() == "made"


def test_a_launch_layer_that_the_last_image_did_not_have_is_an_error(
    cache: Cache, tmp_path: Path
) -> None:
    with pytest.raises(BuildError, match="the last image has none"):
        launch(cache, lent(cache, tmp_path / "one"), folder=False)


def test_a_failed_build_leaves_the_launch_layers(cache: Cache, tmp_path: Path) -> None:
    launch(cache, lent(cache, tmp_path / "one"), folder=True)
    lent(cache, tmp_path / "two")
    cache.recover()
    assert (lent(cache, tmp_path / "three") / "bp" / "app.toml").exists()


def test_store_toml_is_kept_always(cache: Cache, tmp_path: Path) -> None:
    layers = lent(cache, tmp_path / "one")
    (layers / "bp").mkdir()
    (layers / "bp" / "store.toml").write_text("[metadata]\nruns = 1\n")
    keep(cache, layers)
    assert "runs = 1" in (lent(cache, tmp_path / "two") / "bp" / "store.toml").read_text()
