"""The control plane's HTTP application."""

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute

from hythe import __version__
from hythe.api import git, openapi, problems, site
from hythe.api.context import Context, CurrentContext
from hythe.api.gate import Gate
from hythe.api.v1 import (
    account,
    apps,
    autoscale,
    buildpacks,
    builds,
    certificates,
    config,
    deploy,
    deploy_keys,
    deployments,
    disk,
    domains,
    drains,
    events,
    explanation,
    formation,
    instances,
    logs,
    manifest,
    metrics,
    process_settings,
    registries,
    releases,
    routing,
    runs,
    session,
    setup,
    sleep,
    state,
    tokens,
    traffic,
)
from hythe.observe.pulse import LONG_SECONDS, silence

NOUNS = (
    state, apps, manifest, config, deployments, deploy, builds, releases, formation,
    process_settings, instances, runs, explanation, autoscale, sleep, buildpacks, domains, routing,
    traffic, metrics, certificates, deploy_keys, logs, drains, events, registries, disk,
    session, setup, tokens, account,
)  # fmt: skip


class _App(FastAPI):
    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = openapi.document(self)
        return self.openapi_schema


def create_app(context: Context) -> FastAPI:
    """All endpoints, behind the gate."""
    return serving(endpoints(), context)


def serving(app: FastAPI, context: Context) -> FastAPI:
    """The endpoints with what they work with, behind the gate."""
    app.state.context = context
    app.add_middleware(site.Site, folder=site.folder())
    # The last one added is the first one asked.
    app.add_middleware(Gate, context=context)
    context.database.after_commit(context.live.changes.ring)
    return app


def endpoints() -> FastAPI:
    """All endpoints, without what they work with: enough to describe them."""
    app = _App(
        title="Hythe",
        version=__version__,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
        generate_unique_id_function=_operation_id,
        responses={"default": {"model": problems.Problem, "description": "What went wrong."}},
    )
    v1 = APIRouter(prefix="/v1")
    for noun in NOUNS:
        v1.include_router(noun.router)
    app.include_router(v1)
    app.include_router(git.router)
    app.add_api_route("/healthz", healthz, tags=["health"], summary="Say that it is up")
    app.add_api_route(
        "/metrics",
        prometheus,
        tags=["metrics"],
        summary="Metrics of all apps, for Prometheus",
        response_class=PlainTextResponse,
    )
    problems.install(app)
    return app


def healthz(context: CurrentContext) -> dict[str, str]:
    role = "leader" if context.leads() else "stand-by"
    collector = "away" if silence(context.settings.home) > LONG_SECONDS else "works"
    return {"status": "ok", "version": __version__, "role": role, "collector": collector}


def prometheus(context: CurrentContext) -> PlainTextResponse:
    from hythe.api.prometheus import page  # few installations have one that asks

    kind = "text/plain; version=0.0.4; charset=utf-8"
    return PlainTextResponse("".join(page(context)), media_type=kind)


def _operation_id(route: APIRoute) -> str:
    return route.name
