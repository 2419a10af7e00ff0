"""The control plane's certificate for other machines: the operator's, or one that it signs itself.

Clients pin the fingerprint of a certificate that no authority has signed, so it is made once and
kept. It is made again when it has run out or does not name this installation's address any more.
"""

import hashlib
import ipaddress
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hythe import wholefile
from hythe.errors import BadCertificate
from hythe.settings import Settings

LIFE = timedelta(days=3650)  # a pinned one is not what the limits of public authorities are about
LAST_DAYS = timedelta(days=30)
CLOCK_SKEW = timedelta(days=1)
WILDCARDS = ("", "0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate whose key fits and which has not run out."""

    file: Path
    key: Path
    names: frozenset[str]  # DNS names, also `*.example.com`, and addresses
    fingerprint: str  # SHA256: and 64 hexadecimal digits
    expires: datetime

    def covers(self, host: str) -> bool:
        """Whether the control plane may answer to this Host without its port.

        An address always may: only a name can be pointed here by a stranger (DNS rebinding).
        """
        if _is_address(host.strip("[]")):
            return True
        return host in self.names or f"*.{host.partition('.')[2]}" in self.names

    def meets(self, domain: str) -> bool:
        """Whether it covers a name of this domain, which may be `*.` and all names below."""
        if domain.startswith("*.") and any(name.endswith(domain[1:]) for name in self.names):
            return True
        return self.covers(domain)


def ensure(settings: Settings, now: datetime) -> Certificate:
    """The certificate in use, made if it is ours to make. Raises BadCertificate."""
    if settings.tls_cert:
        return read(Path(settings.tls_cert), Path(settings.tls_key or settings.tls_cert), now)
    if settings.tls_key:
        raise BadCertificate("HYTHE_TLS_KEY is set, but HYTHE_TLS_CERT is not.", "Set both.")
    file, key = settings.tls_dir / "cert.pem", settings.tls_dir / "key.pem"
    required = {f"hythe.{settings.domain}"}
    if settings.bind not in WILDCARDS:
        required.add(settings.bind)
    try:
        known = read(file, key, now + LAST_DAYS)
        if required <= known.names:
            return known
    except BadCertificate:
        pass  # none yet, half written, or about to run out
    _make(file, key, sorted(required | _names_of_this_machine()), now)
    return read(file, key, now)


def read(file: Path, key: Path, now: datetime) -> Certificate:
    """Check a pair of PEM files; raises BadCertificate with what is wrong."""
    try:
        text, key_text = file.read_bytes(), key.read_bytes()
    except OSError as error:
        raise BadCertificate(f"{error.filename} cannot be read: {error.strerror}.") from None
    try:
        certificate = x509.load_pem_x509_certificate(text)
    except ValueError:
        raise BadCertificate(f"{file} holds no certificate in PEM format.") from None
    _check_key(certificate, key, key_text)
    if certificate.not_valid_after_utc <= now:
        day = certificate.not_valid_after_utc.date()
        raise BadCertificate(f"The certificate in {file} ran out on {day}.", "Renew it.")
    digest = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()
    return Certificate(
        file, key, _names(certificate), f"SHA256:{digest}", certificate.not_valid_after_utc
    )


def context(certificate: Certificate) -> ssl.SSLContext:
    """A server's context with this certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    made.load_cert_chain(certificate.file, certificate.key)
    return made


def _check_key(certificate: x509.Certificate, path: Path, text: bytes) -> None:
    try:
        key = serialization.load_pem_private_key(text, None)
    except TypeError:
        raise BadCertificate(
            f"The key in {path} has a passphrase.",
            "Take it off: `openssl pkey -in KEY -out NEW`, and keep the file private.",
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadCertificate(f"{path} holds no private key in PEM format.") from None
    kind = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*kind) != certificate.public_key().public_bytes(*kind):
        raise BadCertificate(f"The key in {path} does not belong to the certificate.")


def _names(certificate: x509.Certificate) -> frozenset[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return frozenset()
    names = (name.lower() for name in extension.value.get_values_for_type(x509.DNSName))
    addresses = map(str, extension.value.get_values_for_type(x509.IPAddress))
    return frozenset([*names, *addresses])


def _names_of_this_machine() -> set[str]:
    """What people may call it by: its host name, and the addresses that it resolves to."""
    names = {"localhost", "127.0.0.1", socket.gethostname().lower()}
    try:
        found = socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM)
        names |= {str(entry[4][0]).partition("%")[0] for entry in found}
    except OSError:
        pass
    for family, beyond in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((beyond, 9))  # sends nothing; chooses the address that it would use
                names.add(probe.getsockname()[0])
        except OSError:
            pass
    return names


def _make(file: Path, key_file: Path, names: Iterable[str], now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Hythe, signed by itself")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + LIFE)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(key, hashes.SHA256())
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    wholefile.write(key_file, secret, 0o600)
    wholefile.write(file, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _general(name: str) -> x509.GeneralName:
    if _is_address(name):
        return x509.IPAddress(ipaddress.ip_address(name))
    return x509.DNSName(name)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def now() -> datetime:
    return datetime.now(UTC)
