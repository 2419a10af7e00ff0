from pathlib import Path

from hythe.route.ledger import Ledger
from hythe.route.snapshot import Snapshot
from hythe.wire import Route, RouteTable, Target

TABLE = RouteTable(2, 7, (Route("a", ("a.localhost",), (Target("i1", "10.0.0.2", 5000),)),))


def document() -> str:
    ledger = Ledger()
    ledger.install(TABLE)
    return ledger.document()


def test_a_saved_table_is_loaded_again(tmp_path: Path):
    snapshot = Snapshot(tmp_path / "new folder" / "table.json")
    snapshot.put(document)
    snapshot.finish()
    assert Snapshot(tmp_path / "new folder" / "table.json").load() == TABLE
    assert [path.name for path in (tmp_path / "new folder").iterdir()] == ["table.json"]


def test_saves_are_at_most_one_a_second(tmp_path: Path):
    snapshot = Snapshot(tmp_path / "table.json")
    assert snapshot.due(10) is None
    snapshot.put(document)
    assert snapshot.due(10) == 0
    snapshot.begin(10)
    snapshot.put(document)
    while snapshot.due(10.25) is None:  # one writer at a time
        snapshot.reap()
    assert snapshot.due(10.25) == 0.75
    assert Snapshot(tmp_path / "table.json").load() == TABLE


def test_a_broken_snapshot_counts_as_none(tmp_path: Path):
    path = tmp_path / "table.json"
    assert Snapshot(path).load() is None
    path.write_text('{"epoch": 1')
    assert Snapshot(path).load() is None
