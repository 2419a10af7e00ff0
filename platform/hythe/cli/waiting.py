"""Waiting for a deployment to end."""

from hythe.cli.answers import Deployment
from hythe.cli.client import Client
from hythe.cli.failure import Failure


def until_live(client: Client, app: str, deployment: Deployment) -> Deployment:
    """Wait; raises Failure unless it ended well."""
    return succeeded(client.follow_deployment(app, deployment["id"]).end())


def succeeded(ended: Deployment) -> Deployment:
    """The deployment, if it is live; else raises Failure with its cause and fix."""
    if ended["status"] == "live":
        return ended
    if ended["status"] == "superseded":
        raise Failure("A newer deployment took over.", "See `hythe releases`.")
    error = ended["error"]
    if error is None:
        raise Failure("The deployment failed.", "See `hythe logs`.")
    raise Failure(error["cause"], error["fix"])


def release_name(deployment: Deployment) -> str:
    return f"v{deployment['release']}"
