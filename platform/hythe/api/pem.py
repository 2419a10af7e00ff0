"""Certificates as people have them: PEM files, checked before they are kept."""

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from hythe.errors import InvalidValue

_PEM = serialization.Encoding.PEM
_SMALLEST_RSA = 2048


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate chain and its private key, that fit."""

    chain: str
    key: str
    names: list[str]
    fingerprint: str
    expires_at: datetime


def read(chain: str, key: str, now: datetime) -> Pair:
    """Check what was given; raises InvalidValue, which never shows the key."""
    certificates = _certificates(chain)
    own = certificates[0]
    private = _private_key(key)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    if private.public_key().public_bytes(_PEM, form) != own.public_key().public_bytes(_PEM, form):
        raise InvalidValue(
            "The private key does not belong to the certificate.",
            "Give the app's own certificate first, the ones that sign it after it.",
        )
    if own.not_valid_after_utc <= now:
        raise InvalidValue(
            f"The certificate expired on {own.not_valid_after_utc:%Y-%m-%d}.", "Renew it."
        )
    plain = private.private_bytes(
        _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Pair(
        chain="".join(each.public_bytes(_PEM).decode() for each in certificates),
        key=plain.decode(),
        names=_names(own),
        fingerprint=own.fingerprint(hashes.SHA256()).hex(),
        expires_at=own.not_valid_after_utc,
    )


def _certificates(chain: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(chain.encode())
    except ValueError:
        raise InvalidValue(
            "The certificate is not in PEM.", "It begins with -----BEGIN CERTIFICATE-----."
        ) from None


def _private_key(
    key: str,
) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey:
    try:
        private = serialization.load_pem_private_key(key.encode(), password=None)
    except TypeError:
        raise InvalidValue(
            "The private key is encrypted.", "Decrypt it: `openssl pkey -in KEY -out PLAIN`."
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidValue(
            "The private key is not in PEM.", "It begins with -----BEGIN PRIVATE KEY-----."
        ) from None
    if isinstance(private, rsa.RSAPrivateKey):
        if private.key_size >= _SMALLEST_RSA:
            return private
    elif isinstance(private, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        return private
    raise InvalidValue(
        "The kind of the private key is not good for TLS.",
        f"Use RSA of {_SMALLEST_RSA} bits or more, ECDSA or Ed25519.",
    )


def _names(certificate: x509.Certificate) -> list[str]:
    """The DNS names; browsers read no others."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = found.value.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, ValueError):
        names = []
    if not names:
        raise InvalidValue(
            "The certificate names no host.", "It needs a subjectAltName with DNS names."
        )
    return sorted({name.lower() for name in names})
