"""A certificate that signs itself, for names that have none: `python -m hythe.route.selfsigned`.

It runs as a process of its own, so that the router's processes never load what makes keys.
"""

import datetime
import subprocess
import sys

_DAYS = 397


def make() -> bytes:
    """A fresh key and certificate (PEM), valid for 397 days."""
    done = subprocess.run(
        [sys.executable, "-m", __name__], stdin=subprocess.DEVNULL, capture_output=True, check=True
    )
    return done.stdout


def _write() -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Hythe default certificate")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    sys.stdout.buffer.write(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(pem)
    )


if __name__ == "__main__":
    _write()
