"""The cache survives builds that fail or vanish, and no such build changes it."""

import os
from pathlib import Path

import pytest

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


def keep(cache: Cache, layers: Path) -> None:
    made: list[tuple[str, Layer]] = [("bp", layer) for layer in collect(layers / "bp")]
    cache.keep(layers, made)


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
