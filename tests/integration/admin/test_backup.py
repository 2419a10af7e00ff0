"""Backups of one database, restored as another; and files that are none."""

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from builders import make_app, make_deployment, make_formation, make_release
from images import busybox
from sqlalchemy import inspect, select

from hythe import homefile
from hythe.admin import archive
from hythe.admin.backup import TRUST, backup
from hythe.admin.restore import restore
from hythe.admin.upgrade import check
from hythe.engine.port import ContainerSpec, Engine, ImageConfig
from hythe.errors import BadBackup, NotEmpty, OtherInstallation, PlatformError
from hythe.model import App, Build, ConfigVar, Database, Deployment, Installation, Vault, schema
from hythe.model.home import PRIVATE
from hythe.model.identity import establish
from hythe.model.move import Move
from hythe.model.person import SetupCode, User, UserSession
from hythe.names import Names
from hythe.serve import init
from hythe.settings import Settings
from hythe.source.repository import Repository


def nothing(_text: str) -> None: ...


def fill(settings: Settings) -> None:
    """An app that serves, with config, a build under way, and an app that was destroyed."""
    schema.migrate(settings.database)
    database = Database(settings.database)
    _, vault = establish(settings, database)
    with database.write() as tx:
        app = make_app(tx, subnet="10.192.7.0/24")
        release = make_release(tx, vault, settings, app, config={"A": "ä"})
        app.serving_id = make_deployment(tx, app, release).id
        tx.add(ConfigVar(app_id=app.id, key="A", value=vault.seal("ä")))
        tx.add(Build(app_id=app.id, source_id=release.source_id or 0))
        make_deployment(tx, app, status="building")
        make_formation(tx, app, web=2)
        tx.add(User(id=1, name="ann", password_hash="-"))
        tx.add(UserSession(user_id=1, hash="a" * 64))
        tx.add(SetupCode(hash="b" * 64))
        make_app(tx, "gone")
    with database.write() as tx:
        tx.delete(tx.scalars(select(App).where(App.name == "gone")).one())
    database.close()
    repository = Repository(settings, 1)
    repository.ensure("main")
    blob = repository.git("hash-object", "-w", "--stdin", stdin="hello").strip()
    tree = repository.git("mktree", stdin=f"100644 blob {blob}\tfile\n").strip()
    repository.move({"refs/hythe/v1": tree})


@pytest.fixture
def saved(settings: Settings, tmp_path: Path) -> Path:
    fill(settings)
    backup(settings, tmp_path / "saved.tar.gz", nothing)
    return tmp_path / "saved.tar.gz"


# Three of the four: a test has one PostgreSQL database.
@pytest.mark.parametrize(
    ("here", "there"), [("sqlite", "sqlite"), ("sqlite", "postgres"), ("postgres", "sqlite")]
)
def test_a_backup_of_either_database_is_restored_as_either(
    here: str, there: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_url") if "postgres" in (here, there) else ""
    old = Settings(home=tmp_path / "old", database_url=url if here == "postgres" else "")
    new = Settings(home=tmp_path / "new", database_url=url if there == "postgres" else "")
    old.home.mkdir()
    fill(old)
    before = Database(old.database).installation()
    for name in TRUST:
        (old.home / name).parent.mkdir(exist_ok=True)
        (old.home / name).write_text(name)

    backup(old, tmp_path / "file", nothing)
    restore(new, tmp_path / "file", nothing)
    assert {(new.home / name).stat().st_mode & 0o777 for name in PRIVATE} == {0o700}

    database = Database(new.database)
    vault = Vault.open(new.key_file)
    with database.read() as session:
        app = session.scalars(select(App)).one()
        installation = session.scalars(select(Installation)).one()
        assert app.serving_id == 1
        assert app.subnet is None
        value = session.scalars(select(ConfigVar)).one()
        assert vault.unseal(value.value) == "ä"
        assert value.updated_at.tzinfo is not None
        assert session.scalars(select(User.name)).all() == ["ann"]
        assert session.scalars(select(UserSession)).all() == []
        assert session.scalars(select(SetupCode)).all() == []
        statuses = session.scalars(select(Deployment.status).order_by(Deployment.id)).all()
        assert statuses == ["live", "failed"]
        assert session.scalars(select(Build).where(Build.status == "running")).all() == []
    assert installation.epoch == before.epoch + 1
    assert installation.id != before.id
    with database.write() as tx:
        assert make_app(tx, "next").id == 3  # 2 was given away once
    database.close()
    assert "file" in Repository(new, 1).git("ls-tree", "refs/hythe/v1")
    for name in ("key", *TRUST):
        assert (new.home / name).stat().st_mode & 0o777 == 0o600
    assert [(new.home / name).read_text() for name in TRUST] == list(TRUST)


@pytest.mark.postgres
def test_a_plain_start_after_a_restore_into_postgres_costs_no_code(
    saved: Path, tmp_path: Path, postgres_url: str
) -> None:
    restore(Settings(home=tmp_path / "new", database_url=postgres_url), saved, nothing)
    assert homefile.read(tmp_path / "new") == {"HYTHE_DATABASE_URL": postgres_url}
    plain = Settings(home=tmp_path / "new")
    with pytest.raises(OtherInstallation, match="HYTHE_HOME has the installation"):
        init(plain)
    plain.installation_file.unlink()
    with pytest.raises(OtherInstallation, match="has a key and the code of 1 apps"):
        init(plain)
    init(Settings(home=plain.home, database_url=postgres_url))
    assert "file" in Repository(plain, 1).git("ls-tree", "refs/hythe/v1")


@pytest.mark.postgres
def test_code_that_git_rejects_leaves_the_database_empty(
    saved: Path, tmp_path: Path, postgres_url: str
) -> None:
    rewrite(saved, change={"repositories/1.bundle": (b"PACK", b"JUNK")}, resign=True)
    new = Settings(home=tmp_path / "new", database_url=postgres_url)
    with pytest.raises(BadBackup, match="git rejects the code of shop"):
        restore(new, saved, nothing)
    assert not new.home.exists()
    database = Database(postgres_url)
    assert inspect(database.engine).get_table_names() == []
    database.close()


@pytest.mark.postgres
@pytest.mark.one_database("the other one is the draft of the home")
def test_a_restore_that_was_killed_can_be_repeated(
    saved: Path, tmp_path: Path, postgres_url: str
) -> None:
    """git kills it, when all rows are there."""
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    real = shutil.which("git")
    git.write_text(
        f'#!/bin/sh\ncase " $* " in *" bundle "*) kill -9 $PPID ;; esac\nexec {real} "$@"\n'
    )
    git.chmod(0o755)
    home = tmp_path / "new"
    environ = {**os.environ, "HYTHE_HOME": str(home), "HYTHE_DATABASE_URL": postgres_url}
    command = [sys.executable, "-m", "hythe.admin", "restore", str(saved)]
    path = f"{git.parent}:{os.environ['PATH']}"
    killed = subprocess.run(command, env={**environ, "PATH": path}, capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr
    assert "Unpacking repository 1 of 1" in killed.stdout
    again = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert (home / "key").exists()
    assert list(tmp_path.glob(".new.*")) == []


@pytest.mark.docker
@pytest.mark.one_database("it is about the engine")
def test_images_that_are_here_get_a_name_of_the_new_installation(
    settings: Settings, tmp_path: Path, engine: Engine
) -> None:
    """And stay when the old installation goes."""
    fill(settings)
    base = busybox(engine)
    spec = ContainerSpec(f"hythe-test-{tmp_path.name}", base.id, labels={"at": str(tmp_path)})
    container = engine.instances.create(spec)
    old = f"hythe-old/{tmp_path.name.replace('_', '-')}:b1"
    image = engine.images.commit(container.id, old, ImageConfig(labels={"at": str(tmp_path)}))
    engine.instances.remove(container.id)
    database = Database(settings.database)
    with database.write() as tx:
        tx.scalars(select(Build).where(Build.id == 1)).one().image = image.id
    database.close()
    backup(settings, tmp_path / "file", nothing)
    said: list[str] = []
    restore(Settings(home=tmp_path / "new"), tmp_path / "file", said.append)
    names = Names(json.loads((tmp_path / "new" / "installation").read_text())["id"])
    try:
        engine.images.remove(old)
        found = engine.images.find(names.build_image(1, 1))
        assert found is not None and found.id == image.id
        assert any(line.startswith("1 of ") for line in said)
    finally:
        engine.images.remove(names.build_image(1, 1))


def test_it_does_not_fill_a_home_that_holds_something(
    saved: Path, tmp_path: Path, settings: Settings
) -> None:
    with pytest.raises(NotEmpty):
        restore(settings, saved, nothing)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_backup_cut_short_is_refused_and_leaves_nothing(
    saved: Path, tmp_path: Path, share: float
) -> None:
    data = saved.read_bytes()
    saved.write_bytes(data[: int(len(data) * share)])
    refused(saved, tmp_path, "cut short")


def test_a_backup_whose_end_was_taken_off_whole_is_cut_short(saved: Path, tmp_path: Path) -> None:
    rewrite(saved, drop={archive.SUMS})
    refused(saved, tmp_path, "cut short: its end is missing")


def test_a_backup_that_was_changed_is_refused(saved: Path, tmp_path: Path) -> None:
    rewrite(saved, change={"rows/apps.jsonl": (b"shop", b"shoq")})
    refused(saved, tmp_path, r"rows/apps\.jsonl is not what was written")


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"format": 1', b'"format": 9'), (b'"revision": "0', b'"revision": "9'), (b"{", b"[")],
)
def test_a_backup_of_another_version_is_refused(
    saved: Path, tmp_path: Path, old: bytes, new: bytes
) -> None:
    rewrite(saved, change={archive.MANIFEST: (old, new)})
    refused(saved, tmp_path, "made by Hythe|is not a backup")


def test_other_files_are_refused(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("hello")
    refused(plain, tmp_path, "damaged")
    tar = tmp_path / "tar"
    with tarfile.open(tar, "w:gz") as file:
        info = tarfile.TarInfo("../key")
        info.size = 1
        file.addfile(info, io.BytesIO(b"x"))
    refused(tar, tmp_path, "which no backup has")
    refused(tmp_path / "absent", tmp_path, "cannot be read")


def refused(file: Path, tmp_path: Path, match: str) -> None:
    home = tmp_path / "restored"
    with pytest.raises(BadBackup, match=match) as caught:
        restore(Settings(home=home), file, nothing)
    assert caught.value.fix
    assert not home.exists()
    assert list(tmp_path.glob(".restored*")) == []


def rewrite(
    file: Path,
    drop: frozenset[str] | set[str] = frozenset(),
    change: dict[str, tuple[bytes, bytes]] | None = None,
    resign: bool = False,
) -> None:
    """Write the file anew, without some parts or with other bytes in them; resign: rightly so."""
    sums = ""
    with tarfile.open(file) as old:
        parts = [(m, old.extractfile(m).read()) for m in old]  # type: ignore[union-attr]
    with gzip.open(file, "wb") as packed, tarfile.open(fileobj=packed, mode="w") as new:
        for member, data in parts:
            if member.name not in drop:
                before, after = (change or {}).get(member.name, (b"", b""))
                if before:
                    assert before in data
                changed = data.replace(before, after) if before else data
                if resign and member.name == archive.SUMS:
                    changed = sums.encode()
                sums += f"{hashlib.sha256(changed).hexdigest()}  {member.name}\n"
                member.size = len(changed)
                new.addfile(member, io.BytesIO(changed))


@pytest.mark.postgres
def test_a_database_that_was_left_by_a_move_is_not_backed_up(
    settings: Settings, tmp_path: Path, postgres_url: str
) -> None:
    fill(settings)
    Move(settings, postgres_url).copy(replace=False)
    fix = r"Set HYTHE_DATABASE_URL to postgresql://hythe@[^ ]+, with|Set HYTHE_DATABASE_URL to that"
    with pytest.raises(OtherInstallation, match="left by") as caught:
        backup(settings, tmp_path / "file", nothing)
    assert re.search(fix, caught.value.fix)
    said: list[str] = []
    assert not check(settings, said.append)
    assert any("left by" in line for line in said)

    for path in settings.home.glob("hythe.db*"):
        path.unlink()
    with pytest.raises(PlatformError, match="no database in") as gone:
        backup(settings, tmp_path / "file", nothing)
    assert re.search(fix, gone.value.fix)
    assert not (settings.home / "hythe.db").exists()

    moved = replace(settings, database_url=postgres_url.replace("postgresql+psycopg:", "postgres:"))
    backup(moved, tmp_path / "file", nothing)
    assert (tmp_path / "file").exists()


@pytest.mark.one_database
def test_a_database_that_is_away_is_told_in_two_lines(saved: Path, settings: Settings) -> None:
    env = {**os.environ, "HYTHE_HOME": str(settings.home)}
    env["HYTHE_DATABASE_URL"] = "postgres://hythe@127.0.0.1:1/hythe"
    empty = {**env, "HYTHE_HOME": str(settings.home / "new")}
    for command, file, around in (("backup", f"{saved}2", env), ("restore", str(saved), empty)):
        done = subprocess.run(
            [sys.executable, "-m", "hythe.admin", command, file],
            env=around, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 1
        assert done.stderr.startswith(" !     The database does not answer"), done.stderr
        assert len(done.stderr.splitlines()) == 2
