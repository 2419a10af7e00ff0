"""Hythe itself: its machine, its database, its files."""

from hythe.errors.base import HytheError


class PlatformError(HytheError):
    """Hythe itself cannot go on."""

    code = "platform"
    status = 503


class BadBackup(PlatformError):
    """The file is not a whole backup of this version or an earlier one."""

    code = "bad-backup"
    default_fix = "Copy the file again from where it was made, or take another backup."


class InvalidSetting(PlatformError):
    """A setting cannot be used."""

    code = "setting"
    default_fix = "Correct the variable; docs/reference/settings.md says what it takes."


class NotEmpty(PlatformError):
    """There is data already."""

    code = "not-empty"
    default_fix = "Restore into another HYTHE_HOME, or move this one away first."


class BadSettingsFile(PlatformError):
    """The installation's settings file cannot be read."""

    code = "bad-settings-file"
    default_fix = "Correct the file, or remove that line."


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
