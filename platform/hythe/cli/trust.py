"""Whether a control plane over TLS is the one that was logged in to.

A certificate of a known authority needs nothing. Any other is pinned at the login: its fingerprint
lies with the token, and the certificate beside it, for git.
"""

import hashlib
import http.client
import re
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from hythe import wholefile
from hythe.cli.failure import Misuse, OutOfReach

_LOOPBACK = re.compile(r"127(\.\d{1,3}){3}")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class PinnedConnection(http.client.HTTPSConnection):
    """Talks to the holder of one certificate, whatever it is called and whoever signed it."""

    def __init__(self, host: str, port: int | None, *, timeout: float, pin: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # the fingerprint says more than a name
        context.verify_mode = ssl.CERT_NONE
        super().__init__(host, port, timeout=timeout, context=context)
        self._pin = pin

    def connect(self) -> None:
        """Connect; raises OutOfReach before anything is sent to a stranger."""
        super().connect()
        found = fingerprint(self.certificate())
        if self._pin and found != self._pin:
            self.close()
            raise OutOfReach(
                f"The certificate of {self.host} has changed: it is {found}, not {self._pin}.",
                "If `bin/up` on the server shows the new one, run `hythe login` again. If not,"
                " somebody listens in.",
            )

    def certificate(self) -> bytes:
        """What the other side showed, in DER."""
        assert isinstance(self.sock, ssl.SSLSocket)
        return self.sock.getpeercert(binary_form=True) or b""


def fingerprint(der: bytes) -> str:
    return f"SHA256:{hashlib.sha256(der).hexdigest()}"


def given_fingerprint(text: str) -> str:
    """A fingerprint as people have it, also in openssl's style; raises Misuse."""
    digits = re.sub(r"^sha256[:= ]|[: ]", "", text.strip().lower())
    if not _FINGERPRINT.fullmatch(digits):
        raise Misuse(
            f"'{text[:80]}' is not a SHA-256 fingerprint.", "`bin/up` on the server shows it."
        )
    return f"SHA256:{digits}"


def is_trusted(url: str, timeout: float) -> bool:
    """Whether an authority known here has signed it; raises OSError when it is away."""
    parts = urlsplit(url)
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.connect()
    except ssl.SSLCertVerificationError:
        return False
    finally:
        connection.close()
    return True


def shown_certificate(url: str, timeout: float) -> bytes:
    """The certificate of a server in DER, trusted or not; raises OSError when it is away."""
    parts = urlsplit(url)
    connection = PinnedConnection(parts.hostname or "", parts.port, timeout=timeout, pin="")
    try:
        connection.connect()
        return connection.certificate()
    finally:
        connection.close()


def is_here(url: str) -> bool:
    """Whether plain HTTP to this address stays on this machine."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or _LOOPBACK.fullmatch(host) is not None


def keep(file: Path, der: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    wholefile.write(file, ssl.DER_cert_to_PEM_cert(der).encode(), 0o644)
