"""Code that cannot be taken in, built, released or started: the app is at fault."""

from hythe.errors.base import HytheError


class SourceError(HytheError):
    """The source cannot be used."""

    code = "source"
    status = 422


class StalePush(SourceError):
    """The pushed commit does not contain a newer one of the branch."""

    code = "stale-push"
    status = 409
    default_fix = "Pull, and push again; or replace it: `git push -o force hythe`."


class BadArchive(SourceError):
    """The archive is not a safe tarball."""

    code = "bad-archive"
    default_fix = "Upload a tar or tar.gz of plain files, folders and links that stay inside it."


class AppJsonError(SourceError):
    """app.json cannot be read."""

    code = "app-json"
    default_fix = "See docs/how-to/manifests.md for what it may hold."


class ProjectTomlError(SourceError):
    """project.toml cannot be read."""

    code = "project-toml"
    default_fix = "Correct it: https://buildpacks.io/docs/reference/config/project-descriptor/"


class BadBuildpack(SourceError):
    """A chosen buildpack cannot be used."""

    code = "buildpack"
    default_fix = "Name one of `hythe/...`, or the URL of its git repository or of a tarball."


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


class BuildCanceled(BuildError):
    """Somebody canceled the build."""

    code = "build-canceled"
    default_fix = "Deploy again when it is wanted."


class DiskFull(BuildError):
    """The disk is nearly full."""

    code = "disk-full"
    default_fix = "Free some space there; `hythe disk` says what Hythe takes."


class BuildDisk(BuildError):
    """The build took more disk space than it may."""

    code = "build-disk"
    default_fix = "Let it write less, or let the operator raise HYTHE_BUILD_DISK."


class BuildMemory(BuildError):
    """The build needed more memory than it may use."""

    code = "build-memory"
    default_fix = "Let it need less, or let the operator raise HYTHE_BUILD_MEMORY."


class BuildProcesses(BuildError):
    """The build wanted more processes than it may have."""

    code = "build-processes"
    default_fix = "Let it start fewer at a time, or let the operator raise HYTHE_BUILD_PIDS."


class BuildOutput(BuildError):
    """The build printed more than it may."""

    code = "build-output"
    default_fix = "Let it print less, or let the operator raise HYTHE_BUILD_OUTPUT."


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


class CanaryFailed(RolloutError):
    """The release did worse than the one before, on its share of the requests."""

    code = "canary"
    default_fix = "Read the app's log lines above, and `hythe logs`; then deploy again."


class Aborted(RolloutError):
    """Somebody aborted the rollout."""

    code = "aborted"
    default_fix = "Deploy again when it is wanted."
