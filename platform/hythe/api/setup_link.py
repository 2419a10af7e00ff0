"""The set-up link: makes the first user, or gives one who forgot it a new password.

The code is in the link's fragment, which browsers do not send, so it reaches no server's log.
"""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from hythe.api.digest import digest
from hythe.errors import BadSetupLink
from hythe.model import SetupCode, Write, now
from hythe.settings import Settings

VALID = timedelta(hours=24)


def new_link(tx: Write, settings: Settings) -> tuple[str, datetime]:
    """A link that works once, and until when. Earlier ones become useless."""
    code = secrets.token_urlsafe(32)
    tx.execute(delete(SetupCode))
    row = SetupCode(hash=digest(code), created_at=now())
    tx.add(row)
    return f"{settings.dashboard_url}/setup#code={code}", row.created_at + VALID


def find_code(session: Session, code: str) -> SetupCode:
    """The code, if it may still be used; raises BadSetupLink."""
    row = session.get(SetupCode, digest(code))
    if row is None:
        raise BadSetupLink("The set-up link is wrong, or a newer one has replaced it.")
    if row.used_at is not None:
        raise BadSetupLink("The set-up link was used already.")
    if now() - row.created_at > VALID:
        raise BadSetupLink("The set-up link is older than 24 hours.")
    return row
