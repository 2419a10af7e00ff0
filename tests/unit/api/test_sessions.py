"""Who is signed in, while the database takes no changes."""

from datetime import timedelta

from hythe.api import sessions
from hythe.errors import DatabaseFull
from hythe.model import Database, User, UserSession, Write, now


def refuse(_tx: Write) -> None:
    raise DatabaseFull


def test_a_database_that_takes_no_changes_lets_people_look(database: Database) -> None:
    """Or the dashboard goes dark a minute after the disk is full."""
    with database.write() as tx:
        user = User(name="ada", password_hash="")
        tx.add(user)
        tx.flush()
        secret = sessions.open_session(tx, user, None)
        tx.flush()
        tx.query(UserSession).one().last_used_at = now() - timedelta(hours=1)
    assert sessions.authenticate(database.fenced(refuse), secret).name == "ada"
