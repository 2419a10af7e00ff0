"""Encryption of secrets at rest, with a key file that only its owner reads."""

import contextlib
import json
import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from hythe.errors import PlatformError


class Vault:
    """Encrypts config values. Fernet: AES-128-CBC with HMAC-SHA256."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(key)

    @classmethod
    def open(cls, path: Path) -> "Vault":
        """Read the key file, or make it with mode 0600 on the first start."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make_key(path)
        return cls(path.read_bytes().strip())

    def seal(self, value: str) -> bytes:
        return self._fernet.encrypt(value.encode())

    def unseal(self, sealed: bytes) -> str:
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            raise PlatformError(
                "A config value cannot be decrypted: the key file is not its own.",
                "Put the key file that belongs to this database back into HYTHE_HOME.",
            ) from None

    def seal_map(self, values: dict[str, str]) -> bytes:
        return self.seal(json.dumps(values, sort_keys=True))

    def unseal_map(self, sealed: bytes) -> dict[str, str]:
        values: dict[str, str] = json.loads(self.unseal(sealed))
        return values


def _make_key(path: Path) -> None:
    """Write a new key, whole or not at all; the first of several processes wins."""
    draft = path.with_suffix(f".{os.getpid()}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(Fernet.generate_key() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()
