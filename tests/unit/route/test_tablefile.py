import json
from pathlib import Path

import pytest

from hythe.route.tablefile import TableFile
from hythe.wire import BadTable, RouteTable

ROUTES = [{"app": "a", "hosts": ["a.localhost"]}]


def write(path: Path, **document) -> TableFile:
    path.write_text(json.dumps(document))
    return TableFile(path)


def test_a_table_without_a_version_is_numbered_after_the_one_before(tmp_path: Path):
    file = write(tmp_path / "t", routes=ROUTES)
    assert file.read(None).version == (0, 0)
    assert file.read(RouteTable(3, 8)).version == (3, 9)


def test_a_table_that_says_the_same_is_no_new_table(tmp_path: Path):
    file = write(tmp_path / "t", routes=ROUTES)
    table = file.read(None)
    assert file.read(table) is table


def test_a_higher_version_in_the_file_is_kept(tmp_path: Path):
    assert write(tmp_path / "t", epoch=4, sequence=2).read(RouteTable(3, 8)).version == (4, 2)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"routes": [{"hosts": ["A"]}]}', "\x80"])
def test_what_is_no_table_is_refused_with_a_reason(tmp_path: Path, text: str):
    path = tmp_path / "t"
    path.write_text(text, "latin-1")
    with pytest.raises(BadTable, match=r"\w"):
        TableFile(path).read(None)


def test_a_missing_file_is_refused_with_a_reason(tmp_path: Path):
    with pytest.raises(BadTable, match="No such file"):
        TableFile(tmp_path / "absent").read(None)
