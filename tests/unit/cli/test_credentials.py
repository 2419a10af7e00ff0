import stat
import subprocess
from pathlib import Path

import pytest

from hythe.cli import credentials
from hythe.cli.credentials import Credentials
from hythe.cli.failure import OutOfReach
from hythe.cli.git import HELPER

HERE = "http://127.0.0.1:7600"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "hythe" / "credentials"


def asked(path: Path, host: str, operation: str = "get") -> str:
    """What the helper tells git."""
    ran = subprocess.run(
        ["sh", str(HELPER), str(path), operation],
        input=f"protocol=http\nhost={host}\nwwwauth[]=Basic realm=hythe\n\n",
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return ran.stdout


def test_the_newest_login_comes_first_and_replaces_its_own_line(path: Path) -> None:
    for url, token in ((HERE, "a"), ("http://other:1", "b"), (f"{HERE}/", "c")):
        credentials.save(path, url, token)
    assert credentials.load(path) == [Credentials(HERE, "c"), Credentials("http://other:1", "b")]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_the_environment_comes_before_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials.save(path, HERE, "a")
    credentials.save(path, "http://other:1", "b")
    assert credentials.current().token == "b"
    monkeypatch.setenv("HYTHE_API", HERE)
    assert credentials.current() == Credentials(HERE, "a")
    monkeypatch.setenv("HYTHE_TOKEN", "c")
    assert credentials.current() == Credentials(HERE, "c")
    monkeypatch.delenv("HYTHE_API")
    monkeypatch.setenv("HYTHE_API_PORT", "7700")
    assert credentials.current() == Credentials("http://127.0.0.1:7700", "c")


def test_the_installations_file_comes_before_the_users(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials.save(path, HERE, "users")
    monkeypatch.setenv("HYTHE_HOME", str(tmp_path))
    assert credentials.current().token == "users"
    credentials.save(tmp_path / "credentials", HERE, "installations")
    assert credentials.current().token == "installations"


@pytest.mark.parametrize("text", ["x", "{}", "[]", '{"url": 1}', "null"])
def test_a_damaged_file_is_said(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(OutOfReach, match="damaged"):
        credentials.current()


def test_the_helper_answers_for_the_right_host_only(path: Path) -> None:
    credentials.save(path, "http://other:1", "b")
    credentials.save(path, HERE, "a")
    assert asked(path, "127.0.0.1:7600") == "username=hythe\npassword=a\n"
    assert asked(path, "other:1") == "username=hythe\npassword=b\n"
    assert asked(path, "127.0.0.1:760") == ""
    assert asked(path, "*") == ""
    assert asked(path, "127.0.0.1:7600", "store") == ""
    assert asked(path.with_name("absent"), "127.0.0.1:7600") == ""
