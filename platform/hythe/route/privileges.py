"""What the router may: many open files, and in its workers no more than a plain user."""

import contextlib
import os
import pwd
import resource
from pathlib import Path

from hythe import logs

log = logs.get(__name__)

_FILES = 262_144  # open files of a worker, where that may be had
_MIGRATE = Path("/proc/sys/net/ipv4/tcp_migrate_req")


def raise_file_limit() -> None:
    """As high as it goes; root may raise the hard limit too."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < _FILES:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))
            return
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def keep_queued_connections() -> None:
    """When a listening socket closes, let the kernel hand its queue to another of the port
    (Linux 5.14). It is a setting of the whole machine, so it is only switched on where it may be,
    and the router loses nothing without it while its sockets stay open."""
    with contextlib.suppress(OSError):
        if _MIGRATE.read_text().strip() == "0":
            _MIGRATE.write_text("1")


def exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def become(user: str | None) -> None:
    """Give up root for good; nothing to do for whoever is not root."""
    if user is None or os.geteuid() != 0:
        return
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
