"""Files that are replaced in one step."""

import os
from pathlib import Path

import pytest

from hythe import wholefile


def test_the_file_has_the_content_and_the_mode_whatever_was_there(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("old and longer")
    file.chmod(0o644)
    before = os.umask(0o077)
    try:
        wholefile.write(file, b"new", 0o640)
    finally:
        os.umask(before)
    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [file]


def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text("old")

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        wholefile.write(file, b"new", 0o600)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]
