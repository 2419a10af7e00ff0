"""Structured logs of the platform's own processes: JSON lines on standard error.

The standard library's logging and its own JSON. The usual library for this costs 15 MB and half a
second in each process, of a budget of 150 MB (docs/adr/0004-logs-by-the-standard-library.md).
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

KEYS = "hythe_keys"


class JsonLines(logging.Formatter):
    """One object a line: time, level, component, pid, logger, event, and the keys of the call."""

    def __init__(self, component: str) -> None:
        super().__init__()
        self._component = component

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "component": self._component,
            "pid": record.process,
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, KEYS, {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class Log:
    """A logger whose messages are constant; what varies goes into keys."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def info(self, event: str, **keys: Any) -> None:
        self._logger.info(event, extra={KEYS: keys})

    def warning(self, event: str, exc_info: BaseException | None = None, **keys: Any) -> None:
        self._logger.warning(event, exc_info=exc_info, extra={KEYS: keys})

    def error(self, event: str, exc_info: BaseException | None = None, **keys: Any) -> None:
        self._logger.error(event, exc_info=exc_info, extra={KEYS: keys})


def configure(component: str) -> None:
    """Send everything from INFO of ours, and from WARNING of libraries, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(component))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("hythe").setLevel(logging.INFO)


def get(name: str) -> Log:
    return Log(name)
