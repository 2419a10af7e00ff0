"""Encryption of secrets at rest, with a key file that only its owner reads."""

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
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return cls(path.read_bytes().strip())
        with os.fdopen(fd, "wb") as file:
            file.write(Fernet.generate_key() + b"\n")
            file.flush()
            os.fsync(file.fileno())
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
