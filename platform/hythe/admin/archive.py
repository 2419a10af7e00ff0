"""The file that a backup is: a tar.gz whose parts can be checked.

    manifest.json        what this is: format, version, schema revision, counts, settings
    rows/TABLE.jsonl     the rows of a table, a JSON object a line
    key                  the key that seals config values
    tls/cert.pem, tls/key.pem   the certificate that Hythe signed itself, if it did
    ssh/known_hosts      the keys of git servers, if there are any
    repositories/N.bundle   the code of app N, as `git bundle` has it
    SHA256SUMS           the digest of each part above, as `sha256sum` writes it; always the last

`tar -xzf FILE && sha256sum -c SHA256SUMS` checks it by hand. A file without its end is a file that
was cut short.
"""

import gzip
import hashlib
import io
import os
import re
import shutil
import tarfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from hythe.errors import BadBackup, NotEmpty

SUMS = "SHA256SUMS"
MANIFEST = "manifest.json"
LEVEL = 1  # repositories are packed already
_PART = re.compile(
    r"manifest\.json|key|tls/(cert|key)\.pem|ssh/known_hosts|rows/[a-z_]{1,63}\.jsonl|repositories/[0-9]{1,18}\.bundle|SHA256SUMS"
)


class Writer:
    """Writes parts one after the other."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._sums: list[str] = []

    def text(self, name: str, text: str) -> None:
        data = text.encode()
        self._add(name, io.BytesIO(data), len(data))

    def file(self, name: str, path: Path) -> None:
        with path.open("rb") as file:
            self._add(name, file, path.stat().st_size)

    def finish(self) -> None:
        self.text(SUMS, "".join(self._sums))

    def _add(self, name: str, file: io.BufferedReader | io.BytesIO, size: int) -> None:
        self._sums.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}\n")
        file.seek(0)
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, 0o600, int(time.time())
        self._tar.addfile(info, file)


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """Write a new backup: whole or not at all, and for its owner's eyes only.

    Raises NotEmpty when there is such a file.
    """
    if path.exists():
        raise NotEmpty(f"{path} is there already.", "Choose another name, or remove it first.")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            with (
                gzip.GzipFile("", "wb", LEVEL, file) as packed,
                tarfile.open(fileobj=packed, mode="w") as tar,
            ):
                writer = Writer(tar)
                yield writer
                writer.finish()
            file.flush()
            os.fsync(file.fileno())
        for _ in parts(draft):
            pass  # read back what was written
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)


def parts(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The name and the content of each part, in order; an exhausted iterator means: all is well.

    Raises BadBackup at the first sign that it is not: the caller must not believe what it has read
    before the end.
    """
    sums: dict[str, str] = {}
    complete = False
    with (
        _reading(path),
        gzip.open(path, "rb") as packed,
        tarfile.open(fileobj=packed, mode="r|") as tar,
    ):
        for member in tar:
            content = tar.extractfile(member)
            if content is None or complete or not _PART.fullmatch(member.name):
                raise BadBackup(f"{path} holds {member.name[:80]!r}, which no backup has.")
            part = _Part(path, content)
            if member.name == SUMS:
                _compare(path, sums, part.read().decode())
                complete = True
            else:
                yield member.name, part  # type: ignore[misc]  # has what readers of it use
                shutil.copyfileobj(part, _Nowhere())
                sums[member.name] = part.sha.hexdigest()
        shutil.copyfileobj(packed, _Nowhere())  # gzip's own check comes at its very end
    if not complete:
        raise BadBackup(f"{path} was cut short: its end is missing.")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Whatever a damaged file makes the readers say is one error."""
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise BadBackup(f"{path} was cut short, or is damaged: {error}.") from None
    except OSError as error:
        raise BadBackup(f"{path} cannot be read: {error.strerror or error}.") from None


def _compare(path: Path, sums: dict[str, str], listing: str) -> None:
    listed = {name: sha for sha, _, name in (line.partition("  ") for line in listing.splitlines())}
    if listed != sums:
        wrong = sorted(name for name in listed | sums if listed.get(name) != sums.get(name))
        raise BadBackup(f"{path} is damaged: {wrong[0]} is not what was written.")


class _Part(io.RawIOBase):
    """Passes a part's bytes on, and digests them."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path = path
        self._file = file
        self.sha = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        with _reading(self._path):
            data = self._file.read(len(buffer))
        self.sha.update(data)
        buffer[: len(data)] = data
        return len(data)


class _Nowhere(io.RawIOBase):
    def write(self, data: object) -> int:
        return len(data)  # type: ignore[arg-type]
