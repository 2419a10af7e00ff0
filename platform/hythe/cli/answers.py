"""The shapes of the API's answers; a test holds them against the API's own document."""

from typing import Any, TypedDict


class App(TypedDict):
    name: str
    url: str
    git_url: str
    deploy_branch: str
    release: int | None
    state: str
    created_at: str


class AppDetail(App):
    hosts: list[str]
    builder: str | None
    user: str | None
    capabilities: list[str]


class Traffic(TypedDict):
    known: bool
    requests: int
    in_flight: int
    statuses: dict[str, int]
    errors: dict[str, int]
    p50: float
    p95: float
    p99: float


class Rate(TypedDict):
    at: str
    requests: float
    failed: float
    p50: float
    p95: float
    p99: float
    in_flight: int


class Usage(TypedDict):
    name: str
    at: str
    cpu: float
    memory: float
    limit: float
    received: float
    sent: float
    restarts: int
    oom_kills: int


class Metrics(TypedDict):
    traffic: Rate | None
    instances: list[Usage]


class Series(TypedDict):
    name: str
    step: int
    fields: list[str]
    points: list[list[float]]


class Source(TypedDict):
    kind: str
    tree: str
    location: str | None
    commit: str | None
    message: str | None


class Error(TypedDict):
    code: str
    cause: str
    fix: str


class Deployment(TypedDict):
    id: int
    kind: str
    status: str
    description: str
    release: int | None
    build_id: int | None
    source: Source | None
    error: Error | None
    heir: int | None
    created_by: str
    created_at: str
    ended_at: str | None


class Buildpack(TypedDict):
    index: int
    buildpack: str
    kind: str
    digest: str | None
    created_at: str


class ManifestChange(TypedDict):
    path: str
    before: str | None
    after: str | None


class Manifest(TypedDict):
    app: str
    dry_run: bool
    changes: list[ManifestChange]
    warnings: list[str]
    deployment: Deployment | None


class Registry(TypedDict):
    host: str
    username: str
    created_at: str


class DeployKey(TypedDict):
    public: str
    created_at: str


class RolledBack(TypedDict):
    deployment: Deployment
    changed_config: list[str]


class Config(TypedDict):
    vars: dict[str, str]
    build_keys: list[str]


class ConfigChanged(Config):
    deployment: Deployment | None


class UsedBuildpack(TypedDict):
    id: str
    version: str
    source: str | None
    pinned: str | None


class Step(TypedDict):
    name: str
    seconds: float


class Build(TypedDict):
    id: int
    status: str
    place: int | None
    builder: str | None
    image: str | None
    processes: dict[str, str] | None
    buildpacks: list[UsedBuildpack]
    steps: list[Step]
    source: Source
    error: Error | None
    canceled_by: str | None
    created_at: str
    started_at: str | None
    ended_at: str | None


class Disk(TypedDict):
    folders: list[str]
    total: int
    free: int


class AppShare(TypedDict):
    app: str
    images: int
    image_bytes: int
    cache_bytes: int


class Pruned(TypedDict):
    message: str
    bytes: int
    app: str | None
    at: str


class DiskUse(TypedDict):
    disks: list[Disk]
    reserve: int
    budget: int
    measured_at: str | None
    total: int | None
    apps: list[AppShare]
    pruned: list[Pruned]


class Switch(TypedDict):
    requests: int
    failed: int
    errors: dict[str, int]
    ended_at: str | None


class Release(TypedDict):
    version: int
    description: str
    serving: bool
    build_id: int | None
    repeats: int | None
    source: Source | None
    image: str
    processes: dict[str, str]
    buildpacks: list[UsedBuildpack]
    switch: Switch | None
    created_by: str
    created_at: str


class Change(TypedDict):
    before: str | None
    after: str | None


class ReleaseDiff(TypedDict):
    before: int
    after: int
    image: Change | None
    commit: Change | None
    processes: dict[str, Change]
    config_added: list[str]
    config_removed: list[str]
    config_changed: list[str]


class Process(TypedDict):
    process: str
    quantity: int
    command: str | None


class ProcessSetting(TypedDict):
    key: str
    value: str | None
    source: str | None
    default: str
    about: str


class ProcessSettings(TypedDict):
    process: str
    settings: list[ProcessSetting]


class Explanation(TypedDict):
    wants: list[str]
    sees: list[str]
    next: list[str]
    waits: list[str]
    again_in: float | None


class Instance(TypedDict):
    name: str
    process: str
    index: int
    state: str
    since: str
    release: int | None
    deployment_id: int
    crashes: int
    exit_code: int | None
    retry_at: str | None


class Autoscale(TypedDict):
    process: str
    low: int
    high: int
    p95: float | None
    cpu: int | None


class Sleep(TypedDict):
    after: int | None
    state: str
    since: str | None


class Run(TypedDict):
    name: str
    number: int
    kind: str
    state: str
    command: str
    instance: str | None
    release: int | None
    exit_code: int | None
    reason: str | None
    detail: str | None
    created_by: str
    created_at: str
    started_at: str | None
    ended_at: str | None


class Domain(TypedDict):
    host: str
    url: str | None  # none of a wildcard
    implied: bool
    created_at: str


class Certificate(TypedDict):
    names: list[str]
    serves: list[str]
    fingerprint: str
    expires_at: str
    created_at: str


class Setting(TypedDict):
    key: str
    value: str | None
    default: str
    about: str


class Routing(TypedDict):
    mode: str
    settings: list[Setting]


class Log(TypedDict):
    time: str
    source: str
    process: str
    instance: str
    release: str
    stream: str
    request_id: str
    text: str
    cursor: str


class Event(TypedDict):
    id: int
    at: str
    kind: str
    app: str | None
    actor: str
    message: str
    fix: str | None
    data: dict[str, Any]


class Drain(TypedDict):
    id: int
    url: str
    status: str
    error: str | None
    failing_since: str | None
    sent: int
    behind: int | None
    dropped: int
    created_by: str
    created_at: str


class Token(TypedDict):
    id: int
    name: str
    scope: str
    created_at: str
    last_used_at: str | None
    revoked_at: str | None


class SetupLink(TypedDict):
    url: str
    expires_at: str


class MintedToken(Token):
    token: str


class Account(TypedDict):
    name: str
    scope: str
