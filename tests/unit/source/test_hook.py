"""The hook's own start is part of every push."""

import subprocess
import sys
from pathlib import Path

from hythe.source import hook
from hythe.source.listener import Command, Push

SLOW = {"contextlib", "enum", "json", "re", "selectors", "site", "socket", "typing"}


def test_hook_imports_no_slow_module() -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import hook; print(*sys.modules)"
    folder = str(Path(hook.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, folder],
        capture_output=True, text=True, check=True, timeout=20,
    )  # fmt: skip
    assert SLOW.isdisjoint(done.stdout.split())


def test_listener_reads_what_the_hook_asks(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("HYTHE_APP_ID", "7")
    monkeypatch.setenv("HYTHE_ACTOR", "Ada L")
    zero, one = "0" * 40, "1" * 40
    commands = [f"{zero} {one} refs/heads/main", f"{one} {zero} refs/heads/été"]
    asked = hook.request([command.encode() for command in commands], True, True)
    push = Push.read(asked.decode().splitlines(keepends=True))
    assert (push.app_id, push.actor, push.atomic, push.force) == (7, "Ada L", True, True)
    assert push.commands == [
        Command(zero, one, "refs/heads/main"), Command(one, zero, "refs/heads/été"),
    ]  # fmt: skip
    assert [command.deletes for command in push.commands] == [False, True]
    assert [command.seen for command in push.commands] == [None, one]
