"""A table that a person or a script keeps in a file: the router without a control plane."""

import dataclasses
import json
from pathlib import Path

from hythe.wire import BadTable, RouteTable


class TableFile:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None

    def changed(self) -> bool:
        """Whether the file is another than the one last read."""
        return self._stamp() != self._seen

    def read(self, current: RouteTable | None) -> RouteTable:
        """The file's table, numbered after the current one if the file did not. Raises BadTable."""
        self._seen = self._stamp()
        try:
            document = json.loads(self._path.read_bytes())
        except OSError as error:
            raise BadTable(f"{self._path}: {error.strerror}") from None
        except ValueError as error:
            raise BadTable(f"{self._path}: not JSON: {error}") from None
        if isinstance(document, dict):
            document = {"epoch": 0, "sequence": 0, **document}
        table = RouteTable.from_json(document)
        if current is None or table.version > current.version:
            return table
        if table.routes == current.routes:
            return current
        return dataclasses.replace(table, epoch=current.epoch, sequence=current.sequence + 1)

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return (stat.st_ino, stat.st_size, stat.st_mtime_ns)
