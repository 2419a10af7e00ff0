"""The API, typed: one method for each thing that a command asks of it."""

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import quote

from hythe.cli import answers
from hythe.cli.credentials import Credentials, current
from hythe.cli.failure import Away, Failure, OutOfReach
from hythe.cli.output import warn

if TYPE_CHECKING:
    from hythe.cli.transport import Event, Transport
    from hythe.cli.websocket import WebSocket

PATIENCE_SECONDS = 60.0
"""For how long `logs --tail` waits for a control plane that is away."""
AGAIN_SECONDS = 0.5


def connect() -> "Client":
    """A client with the user's credentials."""
    return Client(current())


class Client:
    def __init__(self, credentials: Credentials) -> None:
        from hythe.cli.transport import Transport

        self.url = credentials.url
        self.pinned = bool(credentials.fingerprint)
        self._http = Transport(credentials)

    def whoami(self) -> answers.Account:
        return cast(answers.Account, self._http.request("GET", "/v1/whoami"))

    def apps(self) -> list[answers.App]:
        return cast(list[answers.App], self._items("/v1/apps"))

    def create_app(self, name: str | None) -> answers.App:
        return cast(answers.App, self._http.request("POST", "/v1/apps", {"name": name}))

    def app(self, name: str) -> answers.AppDetail:
        return cast(answers.AppDetail, self._http.request("GET", _app(name)))

    def destroy_app(self, name: str, confirm: str) -> None:
        self._http.request("DELETE", _app(name), confirm=confirm)

    def config(self, app: str) -> answers.Config:
        return cast(answers.Config, self._http.request("GET", _app(app, "config")))

    def change_config(
        self, app: str, values: dict[str, str | None], build: bool
    ) -> answers.ConfigChanged:
        body = {"vars": values, "build": build}
        return cast(answers.ConfigChanged, self._http.request("PATCH", _app(app, "config"), body))

    def formation(self, app: str) -> list[answers.Process]:
        return cast(list[answers.Process], self._items(_app(app, "formation")))

    def scale(self, app: str, quantities: dict[str, int]) -> list[answers.Process]:
        body = {"quantities": quantities}
        answer = self._http.request("PATCH", _app(app, "formation"), body)
        return cast(list[answers.Process], answer["items"])

    def autoscales(self, app: str) -> list[answers.Autoscale]:
        return cast(list[answers.Autoscale], self._items(_app(app, "autoscale")))

    def autoscale(self, app: str, process: str, body: dict[str, Any]) -> answers.Autoscale:
        path = _app(app, "autoscale", process)
        return cast(answers.Autoscale, self._http.request("PUT", path, body))

    def scale_by_hand(self, app: str, process: str) -> list[answers.Autoscale]:
        answer = self._http.request("DELETE", _app(app, "autoscale", process))
        return cast(list[answers.Autoscale], answer["items"])

    def sleep(self, app: str) -> answers.Sleep:
        return cast(answers.Sleep, self._http.request("GET", _app(app, "sleep")))

    def let_sleep(self, app: str, after: int) -> answers.Sleep:
        path = _app(app, "sleep")
        return cast(answers.Sleep, self._http.request("PUT", path, {"after": after}))

    def keep_awake(self, app: str) -> answers.Sleep:
        return cast(answers.Sleep, self._http.request("DELETE", _app(app, "sleep")))

    def instances(self, app: str) -> list[answers.Instance]:
        return cast(list[answers.Instance], self._items(_app(app, "instances")))

    def runs(self, app: str, limit: int) -> list[answers.Run]:
        return cast(list[answers.Run], self._items(_app(app, "runs"), limit=limit))

    def run(self, app: str, body: dict[str, Any]) -> answers.Run:
        return cast(answers.Run, self._http.request("POST", _app(app, "runs"), body))

    def show_run(self, app: str, number: int) -> answers.Run:
        return cast(answers.Run, self._http.request("GET", _app(app, "runs", str(number))))

    def stop_run(self, app: str, number: int) -> answers.Run:
        path = _app(app, "runs", str(number), "stop")
        return cast(answers.Run, self._http.request("POST", path))

    def attach(self, app: str, number: int) -> "WebSocket":
        path = _app(app, "runs", str(number), "attach")
        return self._http.websocket(path, "hythe.terminal.v1")

    def restart(self, app: str) -> answers.Deployment:
        return cast(answers.Deployment, self._http.request("POST", _app(app, "restart")))

    def rollback(
        self, app: str, version: int | None, run_release_phase: bool
    ) -> answers.RolledBack:
        body = {"version": version, "run_release_phase": run_release_phase}
        return cast(answers.RolledBack, self._http.request("POST", _app(app, "rollback"), body))

    def redeploy(self, app: str, version: int | None) -> answers.Deployment:
        body = {"version": version}
        return cast(answers.Deployment, self._http.request("POST", _app(app, "redeploy"), body))

    def deploy(self, app: str, body: dict[str, Any]) -> answers.Deployment:
        answer = self._http.request("POST", _app(app, "deployments"), body)
        return cast(answers.Deployment, answer)

    def upload(
        self, app: str, tarball: BinaryIO, size: int, sent: dict[str, Any]
    ) -> answers.Deployment:
        """Send a tar.gz, with the procfile, the app_json and the message of `sent`."""
        path = _app(app, "deployments")
        if sent.keys() <= {"message"}:
            answer = self._http.upload(path, tarball, size, "application/gzip", **sent)
        else:
            fields = {k: v if isinstance(v, str) else json.dumps(v) for k, v in sent.items()}
            answer = self._http.upload_form(path, fields, "source", tarball, size)
        return cast(answers.Deployment, answer)

    def apply_manifest(
        self, app: str, document: dict[str, Any], *, dry_run: bool
    ) -> answers.Manifest:
        query = "true" if dry_run else "false"
        path = _app(app, "manifest")
        return cast(answers.Manifest, self._http.request("PUT", path, document, dry_run=query))

    def registries(self) -> list[answers.Registry]:
        return cast(list[answers.Registry], self._items("/v1/registries"))

    def login_registry(self, host: str, username: str, password: str, verify: bool) -> None:
        body = {"host": host, "username": username, "password": password, "verify": verify}
        self._http.request("POST", "/v1/registries", body)

    def logout_registry(self, host: str) -> None:
        self._http.request("DELETE", f"/v1/registries/{quote(host, safe='')}")

    def buildpacks(self, app: str) -> list[answers.Buildpack]:
        return cast(list[answers.Buildpack], self._items(_app(app, "buildpacks")))

    def add_buildpack(
        self, app: str, text: str, index: int | None, replace: bool
    ) -> list[answers.Buildpack]:
        body = {"buildpack": text, "index": index, "replace": replace}
        answer = self._http.request("POST", _app(app, "buildpacks"), body)
        return cast(list[answers.Buildpack], answer["items"])

    def send_buildpack(
        self, app: str, tarball: BinaryIO, size: int, name: str, index: int | None, replace: bool
    ) -> list[answers.Buildpack]:
        query: dict[str, Any] = {"name": name, "replace": "true" if replace else "false"}
        query |= {"index": index} if index is not None else {}
        path = _app(app, "buildpacks", "upload")
        answer = self._http.upload(path, tarball, size, "application/gzip", **query)
        return cast(list[answers.Buildpack], answer["items"])

    def remove_buildpack(self, app: str, index: int) -> list[answers.Buildpack]:
        answer = self._http.request("DELETE", _app(app, "buildpacks", str(index)))
        return cast(list[answers.Buildpack], answer["items"])

    def clear_buildpacks(self, app: str) -> None:
        self._http.request("DELETE", _app(app, "buildpacks"))

    def deploy_key(self, app: str, rotate: bool) -> answers.DeployKey:
        path = _app(app, "deploy-key")
        query = "true" if rotate else "false"
        return cast(answers.DeployKey, self._http.request("POST", path, rotate=query))

    def follow_deployment(self, app: str, deployment: int) -> "Following":
        return Following(self._http, app, deployment)

    def builds(self, app: str, limit: int) -> list[answers.Build]:
        return cast(list[answers.Build], self._items(_app(app, "builds"), limit=limit))

    def build(self, app: str, number: int) -> answers.Build:
        return cast(answers.Build, self._http.request("GET", _app(app, "builds", str(number))))

    def cancel_build(self, app: str, number: int) -> answers.Build:
        path = _app(app, "builds", str(number), "cancel")
        return cast(answers.Build, self._http.request("POST", path))

    def build_log(self, app: str, number: int) -> str:
        return self._http.text(_app(app, "builds", str(number), "log"))

    def releases(self, app: str, limit: int) -> list[answers.Release]:
        return cast(list[answers.Release], self._items(_app(app, "releases"), limit=limit))

    def release(self, app: str, version: int) -> answers.Release:
        path = _app(app, "releases", str(version))
        return cast(answers.Release, self._http.request("GET", path))

    def decide(self, app: str, version: int, what: str) -> answers.Deployment:
        """`what` is promote or abort."""
        path = _app(app, "releases", str(version), what)
        return cast(answers.Deployment, self._http.request("POST", path))

    def deployments(self, app: str, limit: int) -> list[answers.Deployment]:
        return cast(list[answers.Deployment], self._items(_app(app, "deployments"), limit=limit))

    def diff(self, app: str, before: int, after: int) -> answers.ReleaseDiff:
        path = _app(app, "releases", str(before), "diff")
        return cast(answers.ReleaseDiff, self._http.request("GET", path, to=after))

    def domains(self, app: str) -> list[answers.Domain]:
        return cast(list[answers.Domain], self._items(_app(app, "domains")))

    def add_domain(self, app: str, host: str, below: str) -> answers.Domain:
        """`below` is a path such as /shop, or nothing."""
        body = {"host": host, "path": below}
        return cast(answers.Domain, self._http.request("POST", _app(app, "domains"), body))

    def routing(self, app: str) -> answers.Routing:
        return cast(answers.Routing, self._http.request("GET", _app(app, "routing")))

    def traffic(self, app: str) -> answers.Traffic:
        return cast(answers.Traffic, self._http.request("GET", _app(app, "traffic")))

    def metrics(self, app: str) -> answers.Metrics:
        return cast(answers.Metrics, self._http.request("GET", _app(app, "metrics")))

    def series(self, app: str, name: str, seconds: float) -> answers.Series:
        """What was measured in the last so many seconds."""
        since = time.time() - seconds
        path = _app(app, "metrics", name)
        return cast(answers.Series, self._http.request("GET", path, since=since))

    def change_routing(
        self, app: str, mode: str | None, settings: dict[str, str | None]
    ) -> answers.Routing:
        body = {"mode": mode, "settings": settings}
        return cast(answers.Routing, self._http.request("PATCH", _app(app, "routing"), body))

    def explanation(self, app: str) -> answers.Explanation:
        return cast(answers.Explanation, self._http.request("GET", _app(app, "explanation")))

    def process_settings(self, app: str, process: str) -> answers.ProcessSettings:
        path = _app(app, "formation", process, "settings")
        return cast(answers.ProcessSettings, self._http.request("GET", path))

    def change_process_settings(
        self, app: str, process: str, settings: dict[str, str | None]
    ) -> answers.ProcessSettings:
        path = _app(app, "formation", process, "settings")
        body = {"settings": settings}
        return cast(answers.ProcessSettings, self._http.request("PATCH", path, body))

    def remove_domain(self, app: str, host: str) -> None:
        self._http.request("DELETE", _app(app, "domains", host))

    def certificates(self, app: str) -> list[answers.Certificate]:
        return cast(list[answers.Certificate], self._items(_app(app, "certificates")))

    def add_certificate(self, app: str, chain: str, key: str) -> answers.Certificate:
        body = {"chain": chain, "key": key}
        answer = self._http.request("POST", _app(app, "certificates"), body)
        return cast(answers.Certificate, answer)

    def remove_certificate(self, app: str, host: str) -> None:
        self._http.request("DELETE", _app(app, "certificates", host))

    def logs(self, app: str, n: int, **only: str | None) -> list[answers.Log]:
        return cast(list[answers.Log], self._items(_app(app, "logs"), n=n, **only))

    def follow_logs(self, app: str, n: int, **only: str | None) -> Iterator[answers.Log]:
        """The last lines and new ones, through restarts of the control plane.

        Raises Failure when the app is destroyed, Away when nobody answers for a minute.
        """
        for event in self._followed(_app(app, "logs", "follow"), n=n, **only):
            if event.kind == "gone":
                raise Failure(f"{app} was destroyed meanwhile.", "List apps: `hythe apps`.")
            if event.kind == "missed":
                warn(f"The log moved on faster than it was read: {event.data}.")
            if event.kind == "log":
                yield cast(answers.Log, json.loads(event.data))

    def events(self, n: int, **only: str | None) -> list[answers.Event]:
        return cast(list[answers.Event], self._items("/v1/events", n=n, **only))

    def follow_events(self, n: int, **only: str | None) -> Iterator[answers.Event]:
        """The newest events and new ones, through restarts of the control plane."""
        for event in self._followed("/v1/events/follow", n=n, **only):
            if event.kind == "event":
                yield cast(answers.Event, json.loads(event.data))

    def drains(self, app: str) -> list[answers.Drain]:
        return cast(list[answers.Drain], self._items(_app(app, "drains")))

    def add_drain(self, app: str, url: str) -> answers.Drain:
        body = {"url": url}
        return cast(answers.Drain, self._http.request("POST", _app(app, "drains"), body))

    def remove_drain(self, app: str, number: int) -> None:
        self._http.request("DELETE", _app(app, "drains", str(number)))

    def disk(self) -> answers.DiskUse:
        return cast(answers.DiskUse, self._http.request("GET", "/v1/disk"))

    def tokens(self) -> list[answers.Token]:
        return cast(list[answers.Token], self._items("/v1/tokens"))

    def create_token(self, name: str, scope: str) -> answers.MintedToken:
        body = {"name": name, "scope": scope}
        return cast(answers.MintedToken, self._http.request("POST", "/v1/tokens", body))

    def revoke_token(self, number: int) -> None:
        self._http.request("DELETE", f"/v1/tokens/{number}")

    def create_setup_link(self) -> answers.SetupLink:
        return cast(answers.SetupLink, self._http.request("POST", "/v1/setup/link"))

    def _followed(self, path: str, **query: Any) -> Iterator["Event"]:
        """The events of a stream, resumed where it ended; raises Away after a minute of silence."""
        place, away_since = "", 0.0
        while True:
            try:
                for event in self._http.events(path, **query, after=place or None):
                    place, away_since = event.id or place, 0.0
                    yield event
            except Away:
                away_since = away_since or time.monotonic()
                if not place or time.monotonic() - away_since > PATIENCE_SECONDS:
                    raise
            time.sleep(AGAIN_SECONDS)

    def _items(self, path: str, **query: Any) -> list[Any]:
        items: list[Any] = self._http.request("GET", path, **query)["items"]
        return items


class Following:
    """A deployment's transcript, line by line as it grows; then how it ended.

    A newer one that took over with the same code is followed in its place.
    """

    def __init__(self, http: "Transport", app: str, deployment: int) -> None:
        self._http = http
        self._app = app
        self._deployment = deployment
        self._ended: answers.Deployment | None = None

    def __iter__(self) -> Iterator[str]:
        yield from self._lines()
        while self._ended is not None and self._ended["heir"] is not None:
            self._deployment, self._ended = self._ended["heir"], None
            yield from self._lines()

    def _lines(self) -> Iterator[str]:
        path = _app(self._app, "deployments", str(self._deployment), "follow")
        for event in self._http.events(path):
            if event.kind == "end":
                self._ended = cast(answers.Deployment, json.loads(event.data))
                return
            if event.kind == "gone":
                raise Failure("The app was destroyed meanwhile.", "Create it again to deploy.")
            if event.kind == "line":
                yield event.data

    def end(self) -> answers.Deployment:
        """The deployment as it ended, after the lines that were not read yet."""
        if self._ended is None:
            for _ in self:
                pass
        if self._ended is None:
            raise OutOfReach(
                "The control plane went away while the deployment ran.",
                "It goes on after `bin/up`; `hythe releases` shows how it ended.",
            )
        return self._ended


def _app(name: str, *rest: str) -> str:
    return "/".join(["/v1/apps", *(quote(part, safe="") for part in (name, *rest))])
