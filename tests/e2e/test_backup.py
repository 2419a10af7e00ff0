"""A whole installation moves: backup, another home with other ports, no images, restore."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.installation import Installation, Project, until

pytestmark = [pytest.mark.e2e, pytest.mark.docker]


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Installation]:
    old = Installation(tmp_path / "old")
    try:
        old.up("--no-example")
        yield old
    finally:
        old.remove()


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Installation]:
    new = Installation(tmp_path / "new")
    try:
        yield new
    finally:
        new.remove()


def say(project: Project, word: str) -> None:
    (project.folder / "wsgi.py").write_text(
        "import os\n\n\ndef application(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        f"    return [('{word} ' + os.environ.get('NAME', '')).encode()]\n"
    )


def test_backup_restore_on_another_machine(
    old: Installation, new: Installation, tmp_path: Path
) -> None:
    shop = old.project("shop", "wsgi-bare", tmp_path / "shop")
    for word in ("one", "two"):
        say(shop, word)
        shop.commit(word)
        shop.push()
    shop.hythe("config:set", "NAME=Ahoy")
    uploaded = old.project("uploaded", "wsgi-bare", tmp_path / "uploaded")
    say(uploaded, "tarball")
    uploaded.hythe("deploy")
    file = tmp_path / "backup.tar.gz"

    printed = old.hythe("backup", str(file))  # while it runs

    assert "2 apps" in printed and "verified" in printed, printed
    assert "secret" in printed
    assert file.stat().st_mode & 0o777 == 0o600
    assert "already" in old.hythe("backup", str(file), fails=True)
    old.remove()  # and its images

    printed = new.hythe("restore", str(file))
    assert f"HYTHE_HTTP_PORT={old.http_port}" in printed, printed
    assert "is not empty" in new.hythe("restore", str(file), fails=True)
    new.up("--no-example")

    until(lambda: serves(new, "shop", "two Ahoy"), 60)
    until(lambda: serves(new, "uploaded", "tarball "), 60)
    assert "NAME" in new.hythe("config", "-a", "shop")
    assert "done, v4" in new.hythe("rollback", "v1", "-a", "shop")  # its image is built again
    assert new.get("shop").text == "one "
    moved = Project(new, "shop", shop.folder)
    new.hythe("git:remote", "-a", "shop", folder=shop.folder)
    say(moved, "three")
    moved.commit("three")
    assert "deployed (v5)" in moved.push()
    assert new.get("shop").text == "three "
    assert new.id != old.id


def serves(installation: Installation, app: str, text: str) -> bool:
    try:
        return installation.get(app).text == text
    except OSError:
        return False
