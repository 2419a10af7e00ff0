"""A git that hangs."""

import os
import time
from pathlib import Path

import coroutines
import pytest

from hythe.errors import GitFailed
from hythe.settings import Settings
from hythe.source import git_http
from hythe.source.repository import Repository


def test_a_git_that_never_lists_its_refs_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/pid\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(git_http, "IDLE_SECONDS", 1)
    repository = Repository(Settings(home=tmp_path), 1)
    repository.path.mkdir(parents=True)
    began = time.monotonic()
    with pytest.raises(GitFailed, match="took longer than 1 seconds"):
        coroutines.run(git_http.advertise(repository, "git-receive-pack"))
    assert time.monotonic() - began < 30
    pid = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()  # ended, and reaped
