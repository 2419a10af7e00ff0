"""What is stored of a secret that was made at random: SHA-256 is enough for 256 random bits."""

import hashlib


def digest(secret: str) -> str:
    """In hex. Rows are found by it, so that how long a search takes says nothing of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
