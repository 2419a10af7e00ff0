"""Files that are replaced in one step: after a crash or a power cut the old one or the new one."""

import os
from pathlib import Path


def write(path: Path, content: bytes, mode: int) -> None:
    """Give a file this content and this mode. Raises OSError; the old file stays then."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, mode)  # whatever the umask
            file.write(content)
            file.flush()
            os.fsync(fd)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
