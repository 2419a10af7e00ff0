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

from hythe.errors.base import HytheError
from hythe.errors.engine import (
    AddressTaken,
    EngineAway,
    EngineError,
    ImageMissing,
    RegistryAway,
    RegistryDenied,
)
from hythe.errors.pipeline import (
    AppJsonError,
    BadArchive,
    BadGitUrl,
    BootTimeout,
    BuildCanceled,
    BuildError,
    BuildInterrupted,
    BuildTimeout,
    CrashedAtBoot,
    DiskFull,
    FetchTimeout,
    GitAway,
    GitDenied,
    GitSourceMissing,
    LfsUnsupported,
    MissingConfig,
    NoBuildpack,
    NoCommand,
    NoShell,
    ProcfileError,
    ReleaseError,
    RolloutError,
    SourceError,
    Unhealthy,
)
from hythe.errors.platform import (
    BadBackup,
    BadCertificate,
    CannotMove,
    DatabaseAway,
    DatabaseFull,
    DatabaseNewer,
    DatabaseReadOnly,
    GitFailed,
    LeadLost,
    NotEmpty,
    OtherInstallation,
    PlatformError,
)
from hythe.errors.refused import (
    BadMethod,
    BadSetupLink,
    Conflict,
    CrossSite,
    DomainTaken,
    Forbidden,
    InvalidName,
    InvalidValue,
    NameTaken,
    NotFound,
    Refused,
    TlsRequired,
    TooLarge,
    TooManyAttempts,
    Unauthorized,
    WrongHost,
    WrongPassword,
)

__all__ = [
    "AddressTaken",
    "AppJsonError",
    "BadArchive",
    "BadBackup",
    "BadCertificate",
    "BadGitUrl",
    "BadMethod",
    "BadSetupLink",
    "BootTimeout",
    "BuildCanceled",
    "BuildError",
    "BuildInterrupted",
    "BuildTimeout",
    "CannotMove",
    "Conflict",
    "CrashedAtBoot",
    "CrossSite",
    "DatabaseAway",
    "DatabaseFull",
    "DatabaseNewer",
    "DatabaseReadOnly",
    "DiskFull",
    "DomainTaken",
    "EngineAway",
    "EngineError",
    "FetchTimeout",
    "Forbidden",
    "GitAway",
    "GitDenied",
    "GitFailed",
    "GitSourceMissing",
    "HytheError",
    "ImageMissing",
    "InvalidName",
    "InvalidValue",
    "LeadLost",
    "LfsUnsupported",
    "MissingConfig",
    "NameTaken",
    "NoBuildpack",
    "NoCommand",
    "NoShell",
    "NotEmpty",
    "NotFound",
    "OtherInstallation",
    "PlatformError",
    "ProcfileError",
    "Refused",
    "RegistryAway",
    "RegistryDenied",
    "ReleaseError",
    "RolloutError",
    "SourceError",
    "TlsRequired",
    "TooLarge",
    "TooManyAttempts",
    "Unauthorized",
    "Unhealthy",
    "WrongHost",
    "WrongPassword",
]
