"""hythe certs, certs:add, certs:remove."""

from pathlib import Path
from typing import Annotated

import typer

from hythe.cli.client import connect
from hythe.cli.failure import Misuse
from hythe.cli.output import doing, print_json, table, time_of
from hythe.cli.registry import AppOption, JsonOption, chosen, cli


@cli.command("certs")
def list_certificates(app: AppOption = None, as_json: JsonOption = False) -> None:
    """List an app's certificates for HTTPS."""
    certificates = connect().certificates(chosen(app))
    if as_json:
        return print_json(certificates)
    table(
        ("Names", "Serves", "Expires"),
        [
            (
                ", ".join(each["names"]),
                ", ".join(each["serves"]) or "nothing",
                f"{time_of(each['expires_at']):%Y-%m-%d}",
            )
            for each in certificates
        ],
    )


@cli.command("certs:add")
def add_certificate(
    chain: Annotated[Path, typer.Argument(metavar="CHAIN", help="PEM, the app's own first.")],
    key: Annotated[Path, typer.Argument(metavar="KEY", help="PEM, not encrypted.")],
    app: AppOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a certificate for HTTPS, or renew one.

    Example: hythe certs:add fullchain.pem privkey.pem
    """
    name = chosen(app)
    texts = _read(chain), _read(key)
    with doing(f"Adding a certificate to {name}", as_json) as line:
        certificate = connect().add_certificate(name, *texts)
        line.done(f"for {', '.join(certificate['serves'])}")
    if as_json:
        print_json(certificate)


@cli.command("certs:remove")
def remove_certificate(
    host: Annotated[str, typer.Argument(metavar="DOMAIN")], app: AppOption = None
) -> None:
    """Remove the certificate that names a domain."""
    name = chosen(app)
    with doing(f"Removing the certificate for {host} from {name}"):
        connect().remove_certificate(name, host)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Misuse(f"{path} cannot be read: {reason}.", "Give the path of a PEM file.") from None
