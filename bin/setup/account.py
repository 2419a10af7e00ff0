"""The first user: bin/up prints a link that makes one, as long as there is none."""

from . import api
from .place import Place


def setup_url(place: Place) -> str | None:
    """A new set-up link while there is no user; None when there is one, or nobody may know."""
    try:
        if not api.ask(place, "GET", "/v1/setup")["needed"]:
            return None
        return str(api.ask(place, "POST", "/v1/setup/link", api.token(place))["url"])
    except api.UNANSWERED:
        return None
