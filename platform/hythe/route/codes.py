"""The errors that a router answers itself, with what to tell the visitor."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """An error response: `code` goes to the `Hythe-Error` header, the log and the page."""

    status: int
    code: str
    cause: str
    fix: str
    retry_after: int = 0  # seconds, sent when there are any
    location: str = ""  # where to go instead
    text: str = ""  # the whole body, in place of a page


_OWNER = "If it is your app, see `hythe ps` and `hythe logs`."
_CLIENT = "Correct the request and send it again."


def _app(status: int, code: str, cause: str, fix: str = _OWNER) -> Answer:
    return Answer(status, code, cause, fix)


ANSWERS = {
    answer.code: answer
    for answer in (
        _app(503, "H10", "App crashed"),
        _app(503, "H11", "Backlog too deep", "Try again in a moment."),
        _app(504, "H12", "Request timeout"),
        _app(502, "H13", "Connection closed without response"),
        _app(503, "H14", "No web instances", "Scale it up with `hythe ps:scale web=1`."),
        _app(503, "H15", "Idle connection"),
        _app(502, "H17", "Bad HTTP response from the app"),
        _app(503, "H18", "Server connection interrupted"),
        _app(503, "H19", "Backend connection timeout"),
        _app(503, "H20", "App boot timeout"),
        _app(502, "H21", "Backend connection refused"),
        _app(503, "H22", "Connection limit reached", "Try again in a moment."),
        _app(499, "H27", "Client went away"),
        # 408 and not 503: the client was slow, the app is well.
        _app(408, "H28", "Client connection idle", "Send the whole request without pausing."),
        _app(421, "H31", "Misdirected request", _CLIENT),
        _app(403, "H32", "Plain HTTP is not taken here", "Use https://, at the address given."),
        _app(503, "H80", "Maintenance mode", "Try again later."),
        _app(503, "H99", "Platform error", "Try again; the router's log says more."),
    )
}

UNKNOWN_HOST = Answer(
    404,
    "unknown-host",
    "No app answers at this address",
    "Check its spelling; `hythe domains` lists the addresses of an app.",
)


def fails(status: int, answer: Answer | None) -> bool:
    """Whether a request failed by the app or the platform, and not by its sender or on purpose.

    `status` is the app's, unless the router answered itself or cut the answer off.
    """
    if answer is None:
        return status >= 500
    return answer.status >= 500 and answer.code != "H80"


def of(code: str) -> Answer:
    """The answer of a code; a code that a newer control plane invented is still a 503."""
    if not re.fullmatch(r"[A-Z]\d{2}", code):
        code = "H99"
    return ANSWERS.get(code) or _app(503, code, "Service unavailable")


def moved(location: str) -> Answer:
    return Answer(
        307, "moved", "This is at another address", f"Go to {location}", location=location
    )


def too_many(wait: int) -> Answer:
    """The sender is over the app's rate; `wait` in seconds."""
    return Answer(429, "http-429", "Too many requests", "Send them more slowly.", wait)


def challenge(text: str) -> Answer:
    """What a certificate authority asked to see."""
    return Answer(200, "", "", "", text=text)


def moved_to_https(url: str) -> Answer:
    return Answer(308, "https", "This app answers by HTTPS only", f"Go to {url}", location=url)


def bad_request(status: int, cause: str) -> Answer:
    """The request breaks a rule of HTTP or a limit of the router."""
    return Answer(status, f"http-{status}", cause, _CLIENT)
