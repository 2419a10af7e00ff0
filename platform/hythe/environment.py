"""Settings from environment variables: a dataclass says which there are, and what each takes.

Without pydantic: the process that builds are forked from would hold it for nothing else (ADR 18).
"""

import dataclasses
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from hythe.errors import InvalidSetting

T = TypeVar("T")

LIMITS = {"ge": "at least", "gt": "more than", "le": "at most"}
_SWITCH = {"1": True, "true": True, "yes": True, "on": True}
_SWITCH |= {"0": False, "false": False, "no": False, "off": False}
_KINDS = {int: "a whole number", float: "a number"}


def Field(
    default: T,
    *,
    description: str,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
) -> T:
    """A setting: its default, what it is, and the limits of a number, named as in LIMITS."""
    limits = {"ge": ge, "gt": gt, "le": le}
    metadata = {
        "description": description,
        "limits": {name: limit for name, limit in limits.items() if limit is not None},
    }
    made: T = dataclasses.field(default=default, metadata=metadata)
    return made


def read(kind: type[T], prefix: str, environ: Mapping[str, str]) -> T:
    """The settings that the variables PREFIXNAME give; raises InvalidSetting, which names one."""
    given: dict[str, Any] = {}
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(typing.cast(Any, kind)):
        name = f"{prefix}{field.name.upper()}"
        if name in environ:
            given[field.name] = value = _value(name, environ[name], hints[field.name])
            _check(name, value, field.metadata["limits"])
    return kind(**given)


def _value(name: str, text: str, kind: Any) -> Any:
    """A variable's text as a setting has it."""
    if kind is str or kind is Path:
        return kind(text)
    if kind is bool:
        if text.lower() not in _SWITCH:
            raise InvalidSetting(f"{name} is {text!r}, which is neither on nor off.")
        return _SWITCH[text.lower()]
    choices = typing.get_args(kind)
    if choices:
        if text not in choices:
            raise InvalidSetting(f"{name} is {text!r}, which is not {' or '.join(choices)}.")
        return text
    try:
        return kind(text)
    except ValueError:
        raise InvalidSetting(f"{name} is {text!r}, which is not {_KINDS[kind]}.") from None


def _check(name: str, value: Any, limits: Mapping[str, float]) -> None:
    within = {
        "ge": lambda limit: value >= limit,
        "gt": lambda limit: value > limit,
        "le": lambda limit: value <= limit,
    }
    for limit, bound in limits.items():
        if not within[limit](bound):  # also for what is not a number at all
            raise InvalidSetting(f"{name} is {value}; it must be {LIMITS[limit]} {bound}.")
