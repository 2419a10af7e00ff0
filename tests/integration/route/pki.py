"""Certificates for tests, and clients that speak TLS."""

import datetime
import socket
import ssl
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from integration.route.rig import PATIENCE, Wire

from hythe.wire import Certificate

_PEM = serialization.Encoding.PEM


@cache
def make_certificate(*names: str, serial: int = 1) -> Certificate:
    """A self-signed one; another serial number makes another certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), False)
        .sign(key, hashes.SHA256())
    )
    encryption = serialization.NoEncryption()
    secret = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, encryption)
    return Certificate(names, certificate.public_bytes(_PEM).decode(), secret.decode())


def client_context(*alpn: str) -> ssl.SSLContext:
    """A client that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def dial_tls(port: int, name: str | None, context: ssl.SSLContext | None = None) -> Wire:
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
    return Wire((context or client_context()).wrap_socket(sock, server_hostname=name))


def certificate_of(wire: Wire) -> x509.Certificate:
    assert isinstance(wire.sock, ssl.SSLSocket)
    der = wire.sock.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)
