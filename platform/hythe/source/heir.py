"""Heirs: a newer deployment that takes over may carry the same code on.

A config var that is set while a push rolls out makes a release of the pushed code, which supersedes
the push's own. What becomes of the push is decided by how that one ends.
"""

from sqlalchemy.orm import Session

from hythe.model import Deployment


def last_heir(session: Session, deployment: Deployment) -> Deployment:
    """The deployment that carries this one's code on now; itself when none took it over."""
    while deployment.status == "superseded" and deployment.superseded_by is not None:
        newer = session.get(Deployment, deployment.superseded_by)
        if newer is None or newer.source_id is None or newer.source_id != deployment.source_id:
            break
        deployment = newer
    return deployment
