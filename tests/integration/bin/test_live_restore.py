"""live-restore is added to the engine's configuration, and nothing else in it changes."""

import json
from pathlib import Path

import pytest
from setup import engine, liverestore


@pytest.fixture(autouse=True)
def _no_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SYSTEMD", Path("/nowhere"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, {"live-restore": True}),
        ("", {"live-restore": True}),
        ('{"data-root": "/srv"}', {"data-root": "/srv", "live-restore": True}),
        ('{"live-restore": false}', {"live-restore": False}),
    ],
)
def test_it_is_added_unless_somebody_decided(
    tmp_path: Path, before: str | None, after: dict[str, object]
) -> None:
    config = tmp_path / "docker" / "daemon.json"
    if before is not None:
        config.parent.mkdir()
        config.write_text(before)
    liverestore.offer(asking=False, config=config)
    assert json.loads(config.read_text()) == after


def test_a_file_that_is_not_json_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "daemon.json"
    config.write_text("{half")
    liverestore.offer(asking=False, config=config)
    assert config.read_text() == "{half"
    assert "left as it is" in capsys.readouterr().out
