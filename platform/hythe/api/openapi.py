"""The OpenAPI document: what FastAPI finds, plus what the gate in front of it adds."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from hythe import __version__

DESCRIPTION = """\
Everything that the command line and the dashboard do. Send a token in the header
`Authorization: Bearer TOKEN`; git sends it as the password. Scopes: `read`, then `deploy`, then
`manage`, each with what the ones before it allow. Times are ISO 8601 in UTC. Errors are
`application/problem+json` with a stable code, the cause and a fix.
"""

TAGS = [
    {"name": "apps", "description": "What is deployed under a name."},
    {"name": "config", "description": "Environment variables, encrypted at rest."},
    {"name": "deployments", "description": "Attempts to make an app run something."},
    {"name": "builds", "description": "How images came to be."},
    {"name": "releases", "description": "Image, config and processes, frozen under a version."},
    {"name": "formation", "description": "How many instances should run."},
    {"name": "instances", "description": "What runs right now."},
    {"name": "domains", "description": "Host names of an app."},
    {"name": "routing", "description": "How the router handles an app's requests."},
    {"name": "logs", "description": "What apps, router and platform say."},
    {"name": "tokens", "description": "Who may use the API."},
    {"name": "account", "description": "Whose token this is."},
    {"name": "health", "description": "Whether the control plane is up."},
]


def document(app: FastAPI) -> dict[str, Any]:
    """The document of an app's routes."""
    made = get_openapi(
        title="Hythe", version=__version__, description=DESCRIPTION, routes=app.routes, tags=TAGS
    )
    made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    made["security"] = [{"token": []}]
    for path, operations in made["paths"].items():
        for operation in operations.values():
            if path == "/healthz":
                operation["security"] = []
            content = operation["responses"]["default"]["content"]
            content["application/problem+json"] = content.popitem()[1]
    return made
