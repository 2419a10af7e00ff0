"""The manifest: a document that says what an app should be, in the words of app.json.

A section that is there is complete: what it does not name goes. A section that is not there is left
alone. `processes` and `healthchecks` belong to `source`; `stack` is the config var BP_STACK.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from hythe import names, procfile
from hythe import suite as suites
from hythe.appjson import AppJson, Check, Part
from hythe.errors import AppJsonError, HytheError, ProcfileError
from hythe.suite import KEY, Suite
from hythe.wire import place_of

CHECKS = ("startup", "liveness")
SECRET = "[secret]"  # stands for every value of a config var


class ManifestImage(Part):
    type: Literal["image"]
    image: str = Field(min_length=1, max_length=400)


class ManifestGit(Part):
    type: Literal["git"]
    url: str = Field(min_length=1, max_length=1000)
    ref: str | None = Field(None, max_length=250)


class ManifestCommit(Part):
    type: Literal["commit"]
    commit: str = Field(pattern=r"^[0-9a-f]{7,40}$")


ManifestSource = Annotated[
    ManifestImage | ManifestGit | ManifestCommit, Field(discriminator="type")
]


class Manifest(AppJson):
    source: ManifestSource | None = None
    processes: dict[str, str] | None = None
    procfile: str | None = None
    domains: list[str] | None = None

    what: ClassVar[str] = "manifest"

    @classmethod
    def check_document(cls, document: object) -> "Manifest":
        """Parse a document; raises AppJsonError with the path of what is wrong."""
        made = cls.of(document)
        if made.processes is not None and made.procfile is not None:
            raise AppJsonError(
                "manifest: processes and procfile say the same.", "Keep one of the two."
            )
        if made.stack is not None and KEY in made.env:
            raise AppJsonError(f"manifest: stack and env.{KEY} say the same.", "Keep one of them.")
        for section in ("processes", "procfile", "healthchecks"):
            if made.has(section) and made.source is None:
                raise AppJsonError(
                    f"manifest: {section} belongs to a source, and there is none.",
                    "Add `source`, or keep it in the Procfile and app.json of what you push.",
                )
        try:
            for host in made.domains or ():
                names.place(*place_of(host))
        except HytheError as error:
            raise AppJsonError(f"manifest: domains: {error.cause}", error.fix) from None
        made.commands()
        return made

    def has(self, section: str) -> bool:
        return section in self.model_fields_set and getattr(self, section) is not None

    def commands(self) -> dict[str, str] | None:
        """The processes that replace those of the source; raises ProcfileError."""
        if self.procfile is not None:
            return procfile.parse(self.procfile)
        if self.processes is None:
            return None
        for process, line in self.processes.items():
            names.process_type(process)
            if not line.strip() or "\n" in line:
                raise ProcfileError(
                    f"manifest: processes.{process} is not one line.",
                    "Write a command on one line.",
                )
        return {process: line.strip() for process, line in self.processes.items()}

    def procfile_text(self) -> str | None:
        commands = self.commands()
        if not commands:
            return None
        return "".join(f"{process}: {line}\n" for process, line in commands.items())

    def app_json_text(self) -> str | None:
        """What goes along with the source: health checks, and settings of process types. Other
        sections apply by themselves, and what was left out has been said of the manifest."""
        checks = {
            process: [
                one.model_dump(include=set(Check.model_fields), exclude_defaults=True)
                for kind in CHECKS
                if (one := self.asked(process, kind)) is not None
            ]
            for process in self.healthchecks
        }
        settings = {
            process: {"settings": one.settings}
            for process, one in self.formation.items()
            if one.settings
        }
        sections = {"healthchecks": checks, "formation": settings}
        sent = {key: value for key, value in sections.items() if value}
        return json.dumps(sent) if sent else None


@dataclass(frozen=True, slots=True)
class Now:
    """What an app is; empty when there is none."""

    exists: bool = False
    source: str | None = None  # see describe
    login: str | None = None  # of the source's git URL
    procfile: str | None = None  # that was sent along with the source
    about: AppJson = field(default_factory=AppJson)  # app.json of its source
    env: Mapping[str, str] = field(default_factory=dict)
    formation: Mapping[str, int] = field(default_factory=dict)
    domains: frozenset[str] = frozenset()
    buildpacks: Sequence[tuple[str, str | None]] = ()  # its own choice: as written, and the login


@dataclass(frozen=True, slots=True)
class Change:
    """One difference; None where there is nothing."""

    path: str
    before: str | None
    after: str | None


def difference(
    manifest: Manifest,
    name: str,
    now: Now,
    source: str | None,
    login: str | None,
    host: str,
    buildpacks: Sequence[tuple[str, str | None]] = (),
) -> list[Change]:
    """What has to change (pure): `host` is implied; `source`, `login` and `buildpacks` are what the
    manifest asks for, as Now has them."""
    changes: list[Change] = []
    if not now.exists:
        changes.append(Change("app", None, name))
    changes += source_changes(manifest, now, source, login)
    if manifest.has("buildpacks"):
        changes += _buildpacks(now.buildpacks, buildpacks)
    if manifest.suite is not None:
        changes += _stack(manifest.suite, now.env.get(KEY))
    if manifest.has("env"):
        changes += _env(manifest, now)
    if manifest.has("formation"):
        changes += _formation(manifest, now)
    if manifest.has("domains"):
        hosts = {names.place(*place_of(one)) for one in manifest.domains or ()} - {host}
        changes += [Change(f"domains.{one}", None, one) for one in sorted(hosts - now.domains)]
        changes += [Change(f"domains.{one}", one, None) for one in sorted(now.domains - hosts)]
    return changes


def source_changes(
    manifest: Manifest, now: Now, source: str | None, login: str | None
) -> list[Change]:
    """What needs a deployment of the manifest's source."""
    if manifest.source is None:
        return []
    changes: list[Change] = []
    if not _same(now.source, source):
        changes.append(Change("source", now.source, source))
    elif now.login != login:
        changes.append(Change("source.login", SECRET, SECRET))
    before = procfile.parse(now.procfile) if now.procfile else {}
    changes += _section("processes", before, manifest.commands() or {})
    if manifest.has("formation"):
        changes += _section("settings", _settings(now.about), _settings(manifest))
    if manifest.healthchecks or isinstance(manifest.source, ManifestImage):
        earlier, later = _checks(now.about), _checks(manifest)
        for name in sorted(earlier.keys() | later.keys()):
            changes += _section(name, earlier.get(name, {}), later.get(name, {}))
    return changes


def _checks(about: AppJson) -> dict[str, dict[str, object]]:
    """What is asked, by its path: web's startup check is there in any case."""
    found = {"healthchecks.web[0]": about.check.model_dump(exclude={"type"})}
    for process in about.healthchecks:
        for kind in CHECKS:
            one = about.asked(process, kind)
            if one is not None and one is not about.check:
                found[f"healthchecks.{process}.{kind}"] = one.model_dump(exclude={"type"})
    return found


def _settings(about: AppJson) -> dict[str, object]:
    return {
        f"{process}.{key}": value
        for process, one in about.formation.items()
        for key, value in one.settings.items()
    }


def _same(before: str | None, after: str | None) -> bool:
    """Whether two sources are one; a commit may be abbreviated."""
    if before and after and after.startswith("commit "):
        return before.startswith(after)
    return before == after


def _buildpacks(
    before: Sequence[tuple[str, str | None]], after: Sequence[tuple[str, str | None]]
) -> list[Change]:
    texts = [{n: text for n, (text, _) in enumerate(each, 1)} for each in (before, after)]
    pairs = enumerate(zip(before, after, strict=False), 1)
    return _section("buildpacks", *texts) + [
        Change(f"buildpacks.{n}.login", SECRET, SECRET)
        for n, (old, new) in pairs
        if old[0] == new[0] and old[1] != new[1]
    ]


def _stack(wanted: Suite, value: str | None) -> list[Change]:
    here = suites.find(value or "")
    if here == wanted:
        return []
    return [Change("stack", here.name if here else SECRET if value else None, wanted.name)]


def _env(manifest: Manifest, now: Now) -> list[Change]:
    changes: list[Change] = []
    for key, one in sorted(manifest.env.items()):
        here = now.env.get(key)
        if one.value is not None and one.value != here:
            changes.append(Change(f"env.{key}", None if here is None else SECRET, SECRET))
        elif one.value is None and one.generator and here is None:
            changes.append(Change(f"env.{key}", None, SECRET))
    stays = {KEY} if manifest.suite else set()
    gone = sorted(now.env.keys() - manifest.env.keys() - stays)
    return changes + [Change(f"env.{key}", SECRET, None) for key in gone]


def _formation(manifest: Manifest, now: Now) -> list[Change]:
    """Types that the manifest does not name go to nought; without a quantity they stay."""
    named = manifest.formation.keys()
    here = {kind: number for kind, number in now.formation.items() if number or kind in named}
    wanted = manifest.quantities()
    stay = {kind: number for kind, number in here.items() if kind in named}
    return _section("formation", here, {**dict.fromkeys(here, 0), **stay, **wanted})


def _section(name: str, before: Mapping[Any, object], after: Mapping[Any, object]) -> list[Change]:
    return [
        Change(f"{name}.{key}", _text(before.get(key)), _text(after.get(key)))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def _text(value: object) -> str | None:
    return None if value is None else str(value)
