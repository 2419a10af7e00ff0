"""app.json: what an app says about itself, in Heroku's words (with Dokku's healthchecks).

Read at every deploy. `env` and `formation` apply when a key or a process type first appears, so a
deploy never overrides `config:set` or undoes `ps:scale`. What Hythe does not know or does not
support is a warning that names it, a wrong type an error with the path of the key.
"""

import json
import re
import secrets
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from hythe import names
from hythe import suite as suites
from hythe.errors import AppJsonError, InvalidName, MissingConfig
from hythe.healthcheck import HealthCheck, Kind
from hythe.process_settings import ProcessSettings, with_text
from hythe.route_settings import BadSetting
from hythe.suite import SUITES, Suite

LARGEST = 64 * 1024  # bytes
SECRET_BYTES = 32

Path = tuple[str | int, ...]


class Part(BaseModel):
    """An object of the document. Unknown keys are kept, so that warnings can name them."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    unsupported: ClassVar[frozenset[str]] = frozenset()  # known, and left out

    def warnings(self, path: Path = ()) -> Iterator[str]:
        """What was left out, by its path."""
        given = {*(self.model_extra or ()), *(self.model_fields_set & self.unsupported)}
        for key in sorted(given):
            where = dotted((*path, key))
            if key in self.unsupported:
                yield f"`{where}` is not supported yet and was left out."
            else:
                yield f"`{where}` is an unknown key and was left out."
        for key in type(self).model_fields:
            yield from _inner_warnings(getattr(self, key), (*path, key))


class Variable(Part):
    """A config var. Like Heroku's, it is required unless it says otherwise."""

    value: str | None = None
    description: str = ""
    required: bool = True
    generator: Literal["secret"] | None = None


class Process(Part):
    quantity: int | None = Field(None, ge=0, le=1000)
    size: str | None = None
    settings: dict[str, str | int] = Field(default_factory=dict)  # as `ps:set` takes them

    unsupported = frozenset({"size", "max_parallel"})


class Check(Part):
    """Whether an instance is ready (`startup`), or still well (`liveness`); see run/health.py."""

    type: Literal["startup", "readiness", "liveness"] = "startup"
    path: str = Field("/", pattern=r"^/[!-~]*$", max_length=1000)
    host: str = Field("", pattern=r"^[A-Za-z0-9.:_-]*$", max_length=253)
    port: int | None = Field(None, ge=1, le=65535)
    status: int | str | None = Field(None, description="200, or a range: 200-399")
    content: str | None = Field(None, max_length=1000)
    listening: bool = False
    command: list[str] | None = Field(None, min_length=1, max_length=100)
    uptime: float | None = Field(None, ge=0, le=3600)
    timeout: float = Field(15, ge=0.1, le=300)
    wait: float = Field(0, ge=0, le=3600)
    initialDelay: float = Field(0, ge=0, le=3600)
    attempts: int = Field(3, ge=1, le=100)
    name: str = ""

    @field_validator("status")
    @classmethod
    def _is_status(cls, value: int | str | None) -> int | str | None:
        low, high = _statuses(value)
        if not 100 <= low <= high <= 599:
            raise ValueError("should be a status, or a range of them such as 200-399")
        return value

    @property
    def health(self) -> HealthCheck:
        kind: Kind = "http"
        if self.command:
            kind = "command"
        elif self.listening:
            kind = "tcp"
        elif self.uptime is not None:
            kind = "running"
        lowest, highest = _statuses(self.status)
        return HealthCheck(
            kind=kind,
            path=self.path,
            host=self.host,
            port=self.port,
            lowest=lowest,
            highest=highest,
            content=self.content or "",
            command=tuple(self.command or ()),
            timeout=self.timeout,
            wait=self.wait,
            initial_delay=self.initialDelay,
            attempts=self.attempts,
            uptime=1.0 if self.uptime is None else self.uptime,
        )


def _statuses(value: int | str | None) -> tuple[int, int]:
    """The lowest and the highest status that passes; (0, 0) is none."""
    if value is None:
        return 100, 499
    match = re.fullmatch(r"(\d{3})(?:-(\d{3}))?", str(value))
    return (int(match[1]), int(match[2] or match[1])) if match else (0, 0)


_DEFAULT = Check()


class Listed(Part):
    """A buildpack, as an id or a URL."""

    url: str = Field(min_length=1, max_length=1000)


class AppJson(Part):
    name: str = ""
    description: str = ""
    env: dict[str, Variable] = Field(default_factory=dict)
    formation: dict[str, Process] = Field(default_factory=dict)
    healthchecks: dict[str, list[Check]] = Field(default_factory=dict)
    buildpacks: list[Listed] = Field(default_factory=list, max_length=20)
    stack: str | None = Field(None, max_length=100)

    what: ClassVar[str] = "app.json"
    unsupported = frozenset({"cron", "addons", "scripts", "environments", "image"})
    informational: ClassVar[frozenset[str]] = frozenset({
        "keywords", "website", "repository", "logo", "success_url", "$schema",
    })  # fmt: skip

    @field_validator("env", mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        """`"KEY": "value"` stands for `"KEY": {"value": "value"}`."""
        if not isinstance(value, dict):
            return value
        return {k: {"value": v} if isinstance(v, str) else v for k, v in value.items()}

    @classmethod
    def read(cls, text: str) -> Self:
        """Parse a JSON text; raises AppJsonError with the path of what is wrong."""
        if len(text.encode()) > LARGEST:
            raise AppJsonError(f"{cls.what} is over {LARGEST // 1024} KiB.", "Make it smaller.")
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
            raise AppJsonError(
                f"{cls.what} is not valid JSON{where}.", "Correct it; commas are often the cause."
            ) from None
        return cls.of(document)

    @classmethod
    def of(cls, document: object) -> Self:
        """The same for a document that is parsed already."""
        try:
            made = cls.model_validate(document)
        except ValidationError as error:
            raise _wrong(cls.what, error) from None
        for key in made.env:
            _named(cls.what, ("env", key), names.config_key, key)
        for section in ("formation", "healthchecks"):
            for key in getattr(made, section):
                _named(cls.what, (section, key), names.process_type, key)
        if made.stack is not None and made.suite is None and not made.foreign_stack:
            raise AppJsonError(
                f"{cls.what}: stack is '{made.stack[:60]}', and there is no such stack.",
                f"Write one of: {', '.join(SUITES)}.",
            )
        made.process_settings()
        return made

    @property
    def suite(self) -> Suite | None:
        """The Debian that `stack` asks for."""
        return suites.find(self.stack or "")

    @property
    def foreign_stack(self) -> bool:
        """Whether `stack` is one of Heroku's, which an app that comes from there may name."""
        return self.stack == "container" or str(self.stack).startswith("heroku-")

    def warnings(self, path: Path = ()) -> Iterator[str]:
        for text in super().warnings(path):
            if text.split("`")[1] not in self.informational:
                yield f"{self.what}: {text}"
        if self.foreign_stack:
            yield f"{self.what}: `stack` is {self.stack}, a stack of Heroku's, and was left out."
        for kind, checks in self.healthchecks.items():
            for number, one in enumerate(checks):
                where = dotted(("healthchecks", kind, number))
                if one is not self.asked(kind, one.type):
                    yield f"{self.what}: `{where}` was left out; the first of its type counts."
                elif one.type == "liveness" and one.health.kind == "running":
                    yield f"{self.what}: `{where}` was left out; what ends is restarted anyway."

    @property
    def check(self) -> Check:
        """How to ask a web instance whether it is ready."""
        return self.asked("web", "startup") or _DEFAULT

    def asked(self, process: str, kind: str) -> Check | None:
        """The check of a process type; `readiness` is another word for `startup`."""
        kinds = ("liveness",) if kind == "liveness" else ("startup", "readiness")
        checks = self.healthchecks.get(process, [])
        return next((one for one in checks if one.type in kinds), None)

    def health(self) -> dict[str, dict[str, HealthCheck]]:
        """What is asked: {process type: {"startup" or "liveness": check}}."""
        found: dict[str, dict[str, HealthCheck]] = {}
        for process in self.healthchecks:
            for kind in ("startup", "liveness"):
                one = self.asked(process, kind)
                if one is not None and (kind, one.health.kind) != ("liveness", "running"):
                    found.setdefault(process, {})[kind] = one.health
        return found

    def require(self, present: Collection[str], app: str) -> None:
        """Raise MissingConfig unless each required key has a value, a generator or is present."""
        missing = [
            key
            for key, one in self.env.items()
            if one.required and one.value is None and not one.generator and key not in present
        ]
        if missing:
            described = next(
                (self.env[k].description for k in missing if self.env[k].description), ""
            )
            raise MissingConfig(
                f"{self.what} requires {', '.join(missing)}, without a value so far"
                + (f" ({described[:120]})." if described else "."),
                f"Set it: `hythe config:set {' '.join(f'{key}=...' for key in missing)} -a {app}`.",
            )

    def first_values(self, present: Collection[str]) -> dict[str, str]:
        """The config vars that the document brings and that are not there yet."""
        values: dict[str, str] = {}
        for key, one in self.env.items():
            if key in present:
                continue
            if one.value is not None:
                values[key] = one.value
            elif one.generator:
                values[key] = secrets.token_hex(SECRET_BYTES)
        return values

    def process_settings(self) -> dict[str, dict[str, Any]]:
        """The settings of each process type, as they are kept; raises AppJsonError."""
        found: dict[str, dict[str, Any]] = {}
        for kind, process in self.formation.items():
            values: dict[str, Any] = {}
            for key, value in process.settings.items():
                try:
                    values = with_text(values, key, str(value))
                except BadSetting as error:
                    where = dotted(("formation", kind, "settings"))
                    known = ", ".join(each.replace("_", "-") for each in ProcessSettings.KNOBS)
                    raise AppJsonError(
                        f"{self.what}: {where}: {error}.", f"The settings are {known}."
                    ) from None
            if values:
                found[kind] = values
        return found

    def quantities(self) -> dict[str, int]:
        return {
            kind: process.quantity
            for kind, process in self.formation.items()
            if process.quantity is not None
        }


def dotted(path: Path) -> str:
    """A path as people write it: `healthchecks.web[0].port`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{str(part)[:80]}"
    return text


def _inner_warnings(value: object, path: Path) -> Iterator[str]:
    if isinstance(value, Part):
        yield from value.warnings(path)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _inner_warnings(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _inner_warnings(inner, (*path, number))


def _wrong(what: str, error: ValidationError) -> AppJsonError:
    first = error.errors()[0]
    where = dotted(first["loc"]) or "the document"
    message = first["msg"].replace("Input should", "should").replace("String should", "should")
    kind = re.search(r"a valid dictionary or instance of (\w+)|a valid dictionary", message)
    if kind:
        text_too = "a string or " if kind[1] == Variable.__name__ else ""
        message = message.replace(kind[0], f"{text_too}an object")
    return AppJsonError(f"{what}: {where} {message}.", "Correct that value and deploy again.")


def _named(what: str, path: Path, valid: Any, key: str) -> None:
    try:
        valid(key)
    except InvalidName as error:
        raise AppJsonError(f"{what}: {dotted(path)}: {error.cause}", error.fix) from None
