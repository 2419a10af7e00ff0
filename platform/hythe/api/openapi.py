"""The OpenAPI document: what FastAPI finds, plus what the gate in front of it adds.

`python -m hythe.api.openapi` prints it without a server, for generators of clients.
"""

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from hythe import __version__
from hythe.api.gate import OPEN, VISITOR
from hythe.api.sessions import COOKIE
from hythe.api.v1.deploy import NewDeployment

DESCRIPTION = """\
Everything that the command line and the dashboard do. Send a token in the header
`Authorization: Bearer TOKEN`; git sends it as the password. A browser has the cookie of its session
instead, and sends `X-CSRF-Token` with all that is not a GET. Scopes: `read`, then `deploy`, then
`manage`, each with what the ones before it allow. Times are ISO 8601 in UTC. Errors are
`application/problem+json` with a stable code, the cause and a fix.
"""

TAGS = [
    {"name": "apps", "description": "What is deployed under a name."},
    {"name": "manifest", "description": "A document that says what an app should be."},
    {"name": "config", "description": "Environment variables, encrypted at rest."},
    {"name": "deployments", "description": "Attempts to make an app run something."},
    {"name": "builds", "description": "How images came to be."},
    {"name": "releases", "description": "Image, config and processes, frozen under a version."},
    {"name": "formation", "description": "How many instances should run."},
    {"name": "instances", "description": "What runs right now."},
    {"name": "runs", "description": "Commands beside the instances, once."},
    {"name": "domains", "description": "Host names of an app."},
    {"name": "deploy keys", "description": "SSH keys for fetching an app's source."},
    {"name": "routing", "description": "How the router handles an app's requests."},
    {"name": "logs", "description": "What apps, router and platform say."},
    {"name": "session", "description": "Who is signed in with this browser."},
    {"name": "setup", "description": "The first user; a new password for one who forgot it."},
    {"name": "registries", "description": "Credentials for pulling images."},
    {"name": "tokens", "description": "Who may use the API."},
    {"name": "account", "description": "Whose token this is."},
    {"name": "health", "description": "Whether the control plane is up."},
]


def document(app: FastAPI) -> dict[str, Any]:
    """The document of an app's routes."""
    made = get_openapi(
        title="Hythe", version=__version__, description=DESCRIPTION, routes=app.routes, tags=TAGS
    )
    made["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": f"{COOKIE}ID"},
    }
    made["security"] = [{"token": []}, {"session": []}]
    for model in (NewDeployment,):  # its endpoint takes other types too, and parses it itself
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        made["components"]["schemas"] |= {**schema.pop("$defs"), model.__name__: schema}
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            if (method.upper(), path) in OPEN:
                operation["security"] = []
            elif (method.upper(), path) == VISITOR:
                operation["security"] = [{}, {"session": []}]
            content = operation["responses"]["default"]["content"]
            content["application/problem+json"] = content.popitem()[1]
    return made


if __name__ == "__main__":
    from hythe.api.app import endpoints

    print(json.dumps(endpoints().openapi(), indent=1))
