"""What launch.toml says: process types, labels and slices of the image."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hythe.errors import BuildError, InvalidName
from hythe.names import process_type

SHELLS = frozenset({"bash", "/bin/bash", "sh", "/bin/sh"})
LIST_COMMANDS = (0, 9)  # from this API on `command` is a list
RESERVED = "io.hythe."  # labels that say what belongs to an installation


@dataclass(slots=True)
class Launch:
    """All launch.toml files of a group, one added after the other."""

    processes: dict[str, str] = field(default_factory=dict)  # type -> command line for a shell
    bare: dict[str, str] = field(default_factory=dict)  # the same without what arguments replace
    owners: dict[str, str] = field(default_factory=dict)  # type -> id of the buildpack
    default: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    slices: list[tuple[str, ...]] = field(default_factory=list)  # globs, below the app's folder
    env: dict[str, str] = field(default_factory=dict)  # of classic ones, where it is not set
    classic: bool = False

    def add(self, document: Mapping[str, Any], api: tuple[int, int], shown: str = "it") -> None:
        """Add the launch.toml of a buildpack; raises BuildError for what it must not say."""
        try:
            self._add(document, api, shown)
        except (KeyError, TypeError, AttributeError) as error:
            raise _bad(shown, f"is not what the specification says ({error!r})") from None

    def _add(self, document: Mapping[str, Any], api: tuple[int, int], shown: str) -> None:
        defaults = []
        for process in document.get("processes", ()):
            kind = _type(process)
            self.owners[kind] = shown
            self.processes[kind] = command_line(process, api, shown)
            replaced: dict[str, Any] = {"args": []} if api >= LIST_COMMANDS else {}
            self.bare[kind] = command_line({**process, **replaced}, api, shown)
            if process.get("default", False):
                defaults.append(kind)
            elif kind == self.default:
                self.default = None
        if len(defaults) > 1:
            raise _bad(shown, f"has {len(defaults)} default processes")
        self.default = defaults[0] if defaults else self.default
        for label in document.get("labels", ()):
            if not str(label["key"]).startswith(RESERVED):
                self.labels[str(label["key"])] = str(label["value"])
        self.slices += [tuple(map(str, one["paths"])) for one in document.get("slices", ())]

    def add_classic(self, processes: Mapping[str, str], env: Mapping[str, str]) -> None:
        """Add what bin/release of a classic buildpack printed."""
        self.classic = True
        self.processes |= processes
        self.bare |= processes
        self.env |= env


def command_line(process: Mapping[str, Any], api: tuple[int, int], shown: str = "it") -> str:
    """A process as a line for a shell; one that runs without a shell has its words quoted."""
    command, args = process["command"], list(process.get("args", ()))
    if isinstance(command, list) != (api >= LIST_COMMANDS):
        wanted = "a list since" if api >= LIST_COMMANDS else "a string before"
        raise _bad(shown, f"has a `command` of the wrong type: it is {wanted} API 0.9")
    if isinstance(command, list):
        if "direct" in process:
            raise _bad(shown, "has `direct`, which is gone since API 0.9")
        line = _plain([*command, *args])
    elif process.get("direct", False):
        line = shlex.join([command, *args])
    else:
        line = " ".join([command, *map(shlex.quote, args)])
    folder = process.get("working-dir")
    return f"cd {shlex.quote(folder)} && {line}" if folder and api >= (0, 8) else line


def _type(process: Mapping[str, Any]) -> str:
    try:
        return process_type(process["type"])
    except (KeyError, InvalidName):
        raise BuildError(
            f"A buildpack declares a process without a valid type: {process.get('type')!r}.",
            "Report this to its authors.",
        ) from None


def _plain(command: list[str]) -> str:
    """`bash -c LINE` is LINE: the launcher runs a shell anyway."""
    if len(command) == 3 and command[0] in SHELLS and command[1] == "-c":
        return command[2]
    return shlex.join(command)


def _bad(shown: str, why: str) -> BuildError:
    return BuildError(f"launch.toml of {shown} {why}.", "Report this to the buildpack's authors.")
