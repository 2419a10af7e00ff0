"""The request is wrong, 4xx; nothing was changed."""

from hythe.errors.base import HytheError


class Refused(HytheError):
    """The request cannot be accepted."""

    code = "refused"
    status = 400
    default_fix = "Correct the request and send it again."


class InvalidName(Refused):
    """The name is not valid."""

    code = "invalid-name"
    status = 422


class InvalidValue(Refused):
    """The value is not valid."""

    code = "invalid-value"
    status = 422


class NotFound(Refused):
    """There is no such thing."""

    code = "not-found"
    status = 404
    default_fix = "List what exists with `hythe apps`."


class Conflict(Refused):
    """It collides with something that exists."""

    code = "conflict"
    status = 409


class TooManyRuns(Conflict):
    """The app has as many one-off runs as it may have at a time."""

    code = "too-many-runs"
    default_fix = "Wait for one to end, or end one: `hythe runs`, `hythe runs:stop`."


class TooManyTerminals(Conflict):
    """The control plane has as many terminals open as it may have."""

    code = "too-many-terminals"
    default_fix = "Close one, or use `hythe run:detached`."


class NameTaken(Conflict):
    """The name is taken."""

    code = "name-taken"
    default_fix = "Choose another name."


class DomainTaken(Conflict):
    """The domain belongs to another app."""

    code = "domain-taken"
    default_fix = "Remove it from the other app first: `hythe domains:remove`."


class Unauthorized(Refused):
    """The token is missing, wrong or revoked."""

    code = "unauthorized"
    status = 401
    default_fix = "Log in again with `hythe login`, or pass a valid token."


class WrongPassword(Unauthorized):
    """The name or the password is wrong."""

    code = "wrong-password"
    default_fix = "Try again. A link of `hythe setup:link` sets a new password."


class Forbidden(Refused):
    """The token's scope does not allow this."""

    code = "forbidden"
    status = 403
    default_fix = "Use a token with a wider scope."


class CrossSite(Forbidden):
    """The request does not come from the dashboard's own page."""

    code = "cross-site"
    default_fix = "Reload the dashboard and try again; scripts use a token instead of the cookie."


class BadSetupLink(Forbidden):
    """The set-up link cannot be used."""

    code = "setup-link"
    default_fix = "Make a new one on the machine of the control plane: `hythe setup:link`."


class TooManyAttempts(Refused):
    """There were too many attempts to sign in."""

    code = "too-many-attempts"
    status = 429
    default_fix = "Wait a minute, and try again."
    retry_after: int = 60  # seconds


class TooLarge(Refused):
    """The upload is over the limit."""

    code = "too-large"
    status = 413
    default_fix = "Leave out what the app does not need (.gitignore), or raise HYTHE_UPLOAD_LIMIT."


class BadMethod(Refused):
    """The address does not take this method."""

    code = "bad-method"
    status = 405
    default_fix = "See the API reference for the methods of this address."


class WrongHost(Refused):
    """The control plane does not answer to this host name."""

    code = "wrong-host"
    status = 421
    default_fix = "Use http://127.0.0.1 with the API's port."


class TlsRequired(Refused):
    """The control plane takes no plain HTTP from other machines."""

    code = "tls-required"
    status = 403
    default_fix = "Use https:// and the API's port; `bin/up` shows the address."
