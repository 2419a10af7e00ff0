"""Unpacking an archive that nobody vouches for."""

import gzip
import io
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hythe.errors import BadArchive, TooLarge
from hythe.source import tarball

LIMIT = 1 << 20


def entry(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def archive(*entries: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as tar:
        for info, content in entries:
            tar.addfile(info, io.BytesIO(content))
    return made.getvalue()


def unpack(data: bytes, root: Path, limit: int = LIMIT) -> None:
    tarball.unpack(io.BytesIO(data), root, limit)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "inner").mkdir()
    return tmp_path / "inner"


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_files_folders_links_and_modes_are_unpacked(root: Path, mode: str, form: int) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode, format=form) as tar:
        for info, content in (
            entry("./src", type=tarfile.DIRTYPE, mode=0o700),
            entry("./src/été.py", b"x = 1\n", mode=0o600),
            entry("run", b"#!/bin/sh\n", mode=0o4777),
            entry("link", type=tarfile.SYMTYPE, linkname="src/été.py"),
            entry("twin", type=tarfile.LNKTYPE, linkname="run"),
            entry("new/folder/file", b"deep"),
        ):
            tar.addfile(info, io.BytesIO(content))
    unpack(made.getvalue(), root)
    assert (root / "link").read_bytes() == b"x = 1\n"
    assert (root / "twin").read_bytes() == b"#!/bin/sh\n"
    assert (root / "new/folder/file").read_bytes() == b"deep"
    assert stat.S_IMODE((root / "run").stat().st_mode) == 0o755
    assert stat.S_IMODE((root / "src/été.py").stat().st_mode) == 0o644


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (entry("../out", b"x"), "leads out of the archive"),
        (entry("a/../../out", b"x"), "leads out of the archive"),
        (entry("/etc/passwd", b"x"), "absolute path"),
        (entry("up", type=tarfile.SYMTYPE, linkname="../out"), "points outside"),
        (entry("abs", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "points outside"),
        (entry("hard", type=tarfile.LNKTYPE, linkname="../out"), "leads out of the archive"),
        (entry("hard", type=tarfile.LNKTYPE, linkname="/etc/passwd"), "absolute path"),
        (entry("hard", type=tarfile.LNKTYPE, linkname="missing"), "does not hold"),
        (entry("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3), "special file"),
        (entry("disk", type=tarfile.BLKTYPE, devmajor=8), "special file"),
        (entry("pipe", type=tarfile.FIFOTYPE), "special file"),
        (entry("odd", type=b"Z"), "special file"),
        (entry("/".join("d" * 101), b"x"), "too deep"),
        (entry("n" * 300, b"x"), "cannot be written"),
        (entry("n/" * 50 + "n" * 2000, b"x"), "too long"),
        (entry("good", b"again"), "appears twice"),
        (entry("good/below", b"x"), "has a file"),
    ],
)
def test_bad_entry_is_named_and_nothing_leaves_the_root(
    root: Path, bad: tuple[tarfile.TarInfo, bytes], why: str
) -> None:
    with pytest.raises(BadArchive) as caught:
        unpack(archive(entry("good", b"fine"), bad), root)
    assert why in caught.value.cause
    assert bad[0].name[:20] in caught.value.cause or bad[0].linkname in caught.value.cause
    assert [path.name for path in root.parent.iterdir()] == ["inner"]


def test_nothing_is_written_through_a_link(root: Path) -> None:
    through = archive(entry("link", type=tarfile.SYMTYPE, linkname=".."), entry("link/file", b"x"))
    with pytest.raises(BadArchive, match="lies behind a link"):
        unpack(through, root)
    replaced = archive(
        entry("a/file", b"x"), entry("a", type=tarfile.SYMTYPE, linkname=".."), entry("a/two", b"x")
    )
    with pytest.raises(BadArchive, match="lies behind a link"):
        unpack(replaced, root)
    assert not (root.parent / "file").exists()


def test_chain_of_links_that_leads_out_is_refused(root: Path) -> None:
    chain = archive(
        entry("a/b/up", type=tarfile.SYMTYPE, linkname="../.."),
        entry("a/b/bad", type=tarfile.SYMTYPE, linkname="up/../out"),
    )
    with pytest.raises(BadArchive, match="a/b/bad"):
        unpack(chain, root)


def test_git_folders_are_left_out(root: Path) -> None:
    unpack(archive(entry("a", b"1"), entry(".git/config", b"x"), entry("v/.GIT/x", b"x")), root)
    assert [path.name for path in root.iterdir()] == ["a"]


def test_bomb_is_stopped_at_the_limit(root: Path) -> None:
    with pytest.raises(TooLarge):
        unpack(archive(entry("zeros", bytes(2 * LIMIT))), root)
    with pytest.raises(TooLarge):
        unpack(archive(*(entry(f"z{n}", bytes(LIMIT // 4)) for n in range(5))), root / "..", LIMIT)
    twins = [entry(f"l{n}", type=tarfile.LNKTYPE, linkname="z") for n in range(5)]
    with pytest.raises(TooLarge):
        unpack(archive(entry("z", bytes(LIMIT // 4)), *twins), root)


def test_too_many_entries_are_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tarball, "MOST_ENTRIES", 10)
    with pytest.raises(TooLarge, match="more than 10 entries"):
        unpack(archive(*(entry(f"f{n}") for n in range(11))), root)


def test_huge_header_is_not_read_into_memory(root: Path) -> None:
    header = entry("pax", type=tarfile.XHDTYPE)[0]
    header.size = 1 << 32
    data = gzip.compress(header.tobuf(tarfile.USTAR_FORMAT) + bytes(1 << 16))
    with pytest.raises(BadArchive, match="header of"):
        unpack(data, root, 1 << 30)


def test_sparse_file_counts_at_its_full_size(root: Path, tmp_path: Path) -> None:
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(1 << 30)
    assert os.system(f"tar -C {tmp_path} --sparse -cf {tmp_path}/sparse.tar holes") == 0
    with pytest.raises(TooLarge):
        unpack((tmp_path / "sparse.tar").read_bytes(), root)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"this is no archive at all" * 100,
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-4] + b"oops",
        lambda data: gzip.compress(gzip.decompress(data)[:700]),
        lambda data: gzip.compress(gzip.decompress(data)[:100] + b"\xff" * 2000),
    ],
)
def test_damaged_archive_is_refused(root: Path, damage: Callable[[bytes], bytes]) -> None:
    whole = archive(entry("a", os.urandom(5000)), entry("b", os.urandom(5000)))
    with pytest.raises(BadArchive):
        unpack(damage(whole), root)


def test_empty_archive_is_refused(root: Path) -> None:
    with pytest.raises(BadArchive, match="holds no files"):
        unpack(archive(), root)
    with pytest.raises(BadArchive, match="holds no files"):
        unpack(archive(entry("only/a/folder", type=tarfile.DIRTYPE)), root)


def test_upload_over_the_limit_stops_while_it_comes() -> None:
    taken = []

    def stream() -> object:
        for _ in range(100):
            taken.append(1)
            yield bytes(LIMIT // 4)

    with pytest.raises(TooLarge):
        tarball.spool(stream(), io.BytesIO(), LIMIT)  # type: ignore[arg-type]
    assert len(taken) == 5
