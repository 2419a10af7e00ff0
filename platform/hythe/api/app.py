"""The control plane's HTTP application."""

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from hythe import __version__
from hythe.api import git, openapi, problems
from hythe.api.context import Context
from hythe.api.gate import Gate
from hythe.api.v1 import (
    account,
    apps,
    builds,
    certificates,
    config,
    deployments,
    domains,
    formation,
    instances,
    logs,
    releases,
    routing,
    tokens,
    uploads,
)

NOUNS = (
    apps, config, deployments, uploads, builds, releases, formation, instances, domains, routing,
    certificates, logs, tokens, account,
)  # fmt: skip


class _App(FastAPI):
    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = openapi.document(self)
        return self.openapi_schema


def create_app(context: Context) -> FastAPI:
    """All endpoints, behind the gate."""
    app = endpoints()
    app.state.context = context
    app.add_middleware(Gate, context=context)
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
    problems.install(app)
    return app


def healthz() -> dict[str, str]:
    return {"status": "ok", "version": __version__}


def _operation_id(route: APIRoute) -> str:
    return route.name
