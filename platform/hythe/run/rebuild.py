"""Images that are gone: the serving release is built again from its source.

That is so after a restore on another machine, and when somebody removed images by hand.
"""

from datetime import timedelta

from sqlalchemy import exists, select

from hythe import logs
from hythe.model import ENDED, Database, Deployment, Release, now
from hythe.settings import Settings
from hythe.transcript import Transcript

PAUSE = timedelta(minutes=5)  # after a rebuild that failed

log = logs.get(__name__)


def rebuild(settings: Settings, database: Database, serving_id: int) -> bool:
    """Queue a build of a deployment's release; returns whether one was queued.

    Not while something else is under way for the app, not soon after a failure, and not for a
    release without a source.
    """
    with database.write() as tx:
        serving = tx.get_one(Deployment, serving_id)
        release = tx.get_one(Release, serving.release_id)
        busy = Deployment.status.not_in(ENDED)
        failed = (Deployment.kind == "rebuild") & (Deployment.status == "failed")
        lately = failed & (Deployment.ended_at > now() - PAUSE)
        same_app = Deployment.app_id == serving.app_id
        if release.source_id is None or tx.scalar(select(exists().where(same_app, busy | lately))):
            return False
        deployment = Deployment(
            app_id=serving.app_id,
            kind="rebuild",
            description=f"Build v{release.version} again",
            source_id=release.source_id,
            release_id=release.id,
            created_by="hythe",
        )
        tx.add(deployment)
        tx.flush()
        tx.note(
            "deploy.rebuild",
            f"The image of v{release.version} is not on this engine; it is built again",
            app_id=serving.app_id,
            deployment=deployment.id,
        )
        tx.poke(serving.app_id)
    Transcript.of(settings, deployment.id).step(
        f"The image of v{release.version} is gone; building it again"
    )
    log.warning("image is gone, building it again", app=serving.app_id, release=release.version)
    return True
