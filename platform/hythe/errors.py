"""The one error tree.

    HytheError
      Refused            the request is wrong, 4xx; nothing was changed
        InvalidName, InvalidValue, NotFound, Conflict, Unauthorized, Forbidden, TooLarge,
        TooManyAttempts, BadMethod, WrongHost, TlsRequired
      SourceError        the pushed code cannot be taken in
      BuildError         the code cannot be turned into an image
      ReleaseError       the release phase failed
      RolloutError       the release never became healthy
      EngineError        the container engine refused or is away (`transient` says whether to retry)
      PlatformError      Hythe itself: its machine, its database, its files; BadBackup, NotEmpty

Every error that a user can meet has a stable `code`, a `cause` and a `fix`, each at most two lines.
A class's docstring is its default cause. Codes are listed in docs/reference/errors.md, which is
generated from this module.
"""

from typing import ClassVar


class HytheError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    default_fix: ClassVar[str] = "See the control plane's log (`bin/up` prints where it is)."

    def __init__(self, cause: str | None = None, fix: str | None = None) -> None:
        self.cause = cause or (self.__doc__ or "").strip().splitlines()[0]
        self.fix = fix or self.default_fix
        super().__init__(f"{self.cause} {self.fix}")


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


class SourceError(HytheError):
    """The source cannot be used."""

    code = "source"
    status = 422


class BadArchive(SourceError):
    """The archive is not a safe tarball."""

    code = "bad-archive"
    default_fix = "Upload a tar or tar.gz of plain files, folders and links that stay inside it."


class AppJsonError(SourceError):
    """app.json cannot be read."""

    code = "app-json"
    default_fix = "See docs/how-to/manifests.md for what it may hold."


class MissingConfig(SourceError):
    """app.json requires config vars that have no value."""

    code = "missing-config"
    default_fix = "Give them a value: `hythe config:set KEY=VALUE`."


class BadGitUrl(SourceError):
    """The git URL cannot be used."""

    code = "git-url"
    default_fix = "Use https://HOST/PATH or ssh://git@HOST/PATH (also git@HOST:PATH)."


class GitSourceMissing(SourceError):
    """The repository or the ref does not exist."""

    code = "git-missing"
    default_fix = "Check the URL and the ref, and that Hythe may read the repository."


class GitDenied(SourceError):
    """The git server did not let Hythe in."""

    code = "git-denied"
    default_fix = "Add the app's deploy key there: `hythe git:deploy-key`."


class GitAway(SourceError):
    """The git server could not be reached."""

    code = "git-away"
    default_fix = "Check the URL, and that this machine reaches the server; then deploy again."


class FetchTimeout(SourceError):
    """Fetching took longer than its limit."""

    code = "fetch-timeout"
    default_fix = "Raise HYTHE_FETCH_TIMEOUT, or deploy a smaller repository."


class LfsUnsupported(SourceError):
    """The source holds Git LFS pointers instead of files."""

    code = "lfs"
    default_fix = "Commit the files without LFS, or upload the folder with `hythe deploy`."


class ProcfileError(SourceError):
    """The Procfile cannot be read."""

    code = "procfile"
    default_fix = "Write one `type: command` a line."


class BuildError(HytheError):
    """The build failed."""

    code = "build"
    status = 422
    default_fix = "Read the lines above: they are the build's own output."


class NoBuildpack(BuildError):
    """No buildpack recognises this app."""

    code = "no-buildpack"
    default_fix = "Add one of the files that were looked for, or a Dockerfile."


class NoCommand(BuildError):
    """The image has no command of its own, and there is no Procfile."""

    code = "no-command"
    default_fix = "Say what to run in a Procfile: `web: COMMAND` (`hythe deploy --procfile FILE`)."


class NoShell(BuildError):
    """The image has no shell, and a command needs one."""

    code = "no-shell"
    default_fix = "Write a plain command, without variables, pipes and redirections."


class BuildTimeout(BuildError):
    """The build took longer than its limit."""

    code = "build-timeout"
    default_fix = "Raise HYTHE_BUILD_TIMEOUT, or make the build shorter."


class BuildInterrupted(BuildError):
    """The build was interrupted more than once."""

    code = "build-interrupted"
    default_fix = "Deploy again."


class ReleaseError(HytheError):
    """The release phase failed."""

    code = "release-phase"
    status = 422
    default_fix = "Fix the `release` command of the Procfile; the old release still serves."


class RolloutError(HytheError):
    """The release never became healthy."""

    code = "rollout"
    status = 422
    default_fix = "Read the app's log lines above."


class BootTimeout(RolloutError):
    """The web process did not answer on $PORT in time (R10)."""

    code = "R10"
    default_fix = "Listen on 0.0.0.0:$PORT, the variable's value, not on a fixed port or 127.0.0.1."


class Unhealthy(RolloutError):
    """The web process answers with an error."""

    code = "unhealthy"
    default_fix = "Answer GET / with a status below 500; the app's log says why it did not."


class CrashedAtBoot(RolloutError):
    """A process exited before it was healthy (H10)."""

    code = "H10"
    default_fix = "Fix what the app's log lines above say, and push again."


class EngineError(HytheError):
    """The container engine refused."""

    code = "engine"
    status = 503
    transient: ClassVar[bool] = False
    default_fix = "Check the engine with `docker version`; start it with `bin/up`."


class EngineAway(EngineError):
    """The container engine does not answer."""

    code = "engine-away"
    transient = True


class ImageMissing(EngineError):
    """The image is not on this engine."""

    code = "image-missing"
    default_fix = "Build it again: push a new commit, or upload the folder with `hythe deploy`."


class RegistryDenied(EngineError):
    """The registry does not let Hythe pull the image."""

    code = "registry-denied"
    status = 422
    default_fix = "Log in with `hythe registry:login HOST -u USER`, and deploy again."


class RegistryAway(EngineError):
    """The registry could not be reached."""

    code = "registry-away"
    default_fix = "Check the image's name, and that this machine reaches the registry."


class AddressTaken(EngineError):
    """The network address or subnet is in use."""

    code = "address-taken"
    transient = True


class PlatformError(HytheError):
    """Hythe itself cannot go on."""

    code = "platform"
    status = 503


class BadBackup(PlatformError):
    """The file is not a whole backup of this version or an earlier one."""

    code = "bad-backup"
    default_fix = "Copy the file again from where it was made, or take another backup."


class NotEmpty(PlatformError):
    """There is data already."""

    code = "not-empty"
    default_fix = "Restore into another HYTHE_HOME, or move this one away first."


class DatabaseAway(PlatformError):
    """The database does not answer."""

    code = "database-away"
    default_fix = (
        "Start it, or check HYTHE_DATABASE_URL; Hythe goes on by itself. Apps still serve."
    )


class DatabaseReadOnly(PlatformError):
    """The database takes no changes."""

    code = "database-read-only"
    default_fix = "Give Hythe's user the right to write to it. Apps still serve."


class DatabaseFull(PlatformError):
    """The database's disk is full."""

    code = "database-full"
    default_fix = "Free some space on its disk; Hythe goes on by itself. Apps still serve."


class DatabaseNewer(PlatformError):
    """The database was written by a newer Hythe."""

    code = "database-newer"
    default_fix = "Run the newer Hythe that wrote it, or restore a backup."


class OtherInstallation(PlatformError):
    """The database and HYTHE_HOME do not belong together."""

    code = "other-installation"
    default_fix = "Correct HYTHE_HOME or HYTHE_DATABASE_URL, so that both are of one installation."


class LeadLost(PlatformError):
    """Another control plane leads now."""

    code = "lead-lost"
    default_fix = "Nothing is to be done: the other one goes on."


class CannotMove(PlatformError):
    """The database cannot be moved."""

    code = "database-move"
    status = 409
    default_fix = "Correct what the cause names, and run it again."


class BadCertificate(PlatformError):
    """The control plane's certificate cannot be used."""

    code = "certificate"
    default_fix = (
        "Correct HYTHE_TLS_CERT and HYTHE_TLS_KEY, or unset both for one that Hythe signs."
    )


class GitFailed(PlatformError):
    """git could not work on the app's repository."""

    code = "git"
