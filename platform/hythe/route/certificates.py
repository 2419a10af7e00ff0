"""Which certificate a TLS connection gets: by the name that its client asks for (SNI).

One base context belongs to all workers, because the master makes it before it forks: it has the
default certificate, and its keys seal the session tickets, so a session is resumed by any worker.
The others are made when they are first asked for. A new table replaces what changed in it; open
connections keep what they have.
"""

from __future__ import annotations

import os
import re
import ssl
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import cast

from hythe import logs
from hythe.wire import BadTable, Certificate, Route

log = logs.get(__name__)

_PROTOCOLS = ["h2", "http/1.1"]
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # for TLS 1.2; forward secrecy and AEAD, as in 1.3
_MEMORY = Path("/dev/shm")
_ADDRESS = re.compile(r"[0-9.]+|.*:.*")
_CONTEXTS = 4096  # most that are kept made


class ServerSide(ssl.SSLObject):
    """The router's end of a TLS connection."""

    name: str | None = None  # what the client asked for
    names: tuple[str, ...] = ()  # what the certificate it got is good for

    def serves(self, host: str) -> bool:
        """Whether a request for `host` is in its place here (RFC 9110, 7.4). Without a name, and
        with the default certificate, there is nothing to compare it with but the name itself."""
        return self.name is None or host == self.name or _covers(self.names, host)


def base_context(pem: bytes) -> ssl.SSLContext:
    """The context with the default certificate: its key and chain (PEM). Raises SSLError."""
    return _context(pem)


def check(certificates: Iterable[Certificate]) -> None:
    """Raises BadTable if one cannot be used."""
    for certificate in certificates:
        try:
            _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), _pem(certificate))
        except (ssl.SSLError, OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise BadTable(f"certificate for {', '.join(certificate.names)}: {reason}") from None


class Certificates:
    """Those of the current table, for the connections of one worker."""

    def __init__(self, base: ssl.SSLContext) -> None:
        self.base = base
        self._by_app: dict[str, tuple[Certificate, ...]] = {}
        self._by_name: dict[str, Certificate] = {}
        self._made: dict[Certificate, ssl.SSLContext] = {}
        base.sslobject_class = ServerSide
        base.sni_callback = self._choose

    def change(self, routes: Iterable[Route], gone: Iterable[str]) -> None:
        """These apps have these routes now, and those in `gone` have none."""
        before = dict(self._by_app)
        for app in gone:
            self._by_app.pop(app, None)
        for route in routes:
            if route.certificates:
                self._by_app[route.app] = route.certificates
            else:
                self._by_app.pop(route.app, None)
        if self._by_app == before:
            return
        self._by_name = {
            name: certificate
            for certificates in self._by_app.values()
            for certificate in certificates
            for name in certificate.names
        }
        current = set(self._by_name.values())
        self._made = {c: context for c, context in self._made.items() if c in current}

    def _choose(self, tls: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        connection = cast(ServerSide, tls)
        if name is None or _ADDRESS.fullmatch(name):
            return  # an address is no name (RFC 6066, 3), but some send one
        connection.name = name = name.lower().rstrip(".")
        certificate = self._by_name.get(name) or self._by_name.get(_wildcard(name))
        if certificate is None:
            return
        try:
            connection.context = self._made.get(certificate) or self._make(certificate)
        except (ssl.SSLError, OSError, ValueError) as error:  # the master checked it: cannot be
            log.error("certificate cannot be used", names=certificate.names, error=error)
            return
        connection.names = certificate.names

    def _make(self, certificate: Certificate) -> ssl.SSLContext:
        context = _context(_pem(certificate))
        if len(self._made) >= _CONTEXTS:
            del self._made[next(iter(self._made))]
        self._made[certificate] = context
        return context


def _covers(names: tuple[str, ...], host: str) -> bool:
    return host in names or _wildcard(host) in names


def _wildcard(name: str) -> str:
    """`a.b.c` is covered by `*.b.c`, and by no other wildcard (RFC 9525, 6.3)."""
    return f"*.{name.partition('.')[2]}"


def _pem(certificate: Certificate) -> bytes:
    return f"{certificate.key}\n{certificate.chain}".encode()


def _context(pem: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(_PROTOCOLS)
    _load(context, pem)
    return context


def _load(context: ssl.SSLContext, pem: bytes) -> None:
    """The library reads files only: give it one that is in memory alone."""
    fd = os.memfd_create("certificate", os.MFD_CLOEXEC)
    path = f"/proc/self/fd/{fd}"
    try:
        os.write(fd, pem)
        if os.access(path, os.R_OK):
            context.load_cert_chain(path, password=_no_password)
            return
    finally:
        os.close(fd)
    # A process that gave up root may not open its own files by name (proc(5)).
    with tempfile.NamedTemporaryFile(dir=_MEMORY if _MEMORY.is_dir() else None) as file:
        file.write(pem)
        file.flush()
        context.load_cert_chain(file.name, password=_no_password)


def _no_password() -> str:
    raise ValueError("the private key is encrypted")
