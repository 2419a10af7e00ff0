"""Names for apps that come without one."""

import secrets

from sqlalchemy import select

from hythe.model import App, Write

_FIRST = ("amber", "brisk", "calm", "coral", "early", "gentle", "green", "high", "misty", "quiet")
_SECOND = ("anchor", "bay", "beacon", "buoy", "creek", "ferry", "gull", "jetty", "lantern", "quay")


def fresh_name(tx: Write) -> str:
    """A name that no app has, such as `quiet-jetty-4821`."""
    while True:
        number = 1000 + secrets.randbelow(9000)
        name = f"{secrets.choice(_FIRST)}-{secrets.choice(_SECOND)}-{number}"
        if tx.scalar(select(App.id).where(App.name == name)) is None:
            return name
