"""hythe login, logout, whoami."""

import getpass
import sys
from typing import Annotated
from urllib.parse import urlsplit

import typer

from hythe.cli import credentials
from hythe.cli.client import Client
from hythe.cli.credentials import Credentials
from hythe.cli.failure import Failure, Misuse, OutOfReach
from hythe.cli.output import print_json
from hythe.cli.registry import JsonOption, cli

TIMEOUT = 20.0


@cli.command("whoami")
def whoami(as_json: JsonOption = False) -> None:
    """Show whose token is in use, and where."""
    known = credentials.current()
    account = Client(known).whoami()
    if as_json:
        return print_json({**account, "url": known.url, "fingerprint": known.fingerprint})
    print(f"{account['name']} ({account['scope']}) at {known.url}")
    if known.fingerprint:
        print(f"Certificate {known.fingerprint}")


@cli.command("login")
def login(
    url: Annotated[str, typer.Argument(help="The API's address.")] = "http://127.0.0.1:7600",
    fingerprint: Annotated[
        str | None, typer.Option(help="Of the server's certificate; `bin/up` there shows it.")
    ] = None,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read the token from standard input.")
    ] = False,
) -> None:
    """Log in with a token, and pin the certificate.

    The token is read from the terminal or from standard input. A certificate that no known
    authority has signed is pinned.

    Example: hythe login https://hythe.example.com:7600
    """
    from hythe.cli import trust

    url = url.rstrip("/")
    path = credentials.default_path()
    der = _certificate(url, fingerprint)
    asks = sys.stdin.isatty() and not token_stdin
    token = getpass.getpass("Token: ") if asks else sys.stdin.readline()
    given = Credentials(url, token.strip(), trust.fingerprint(der) if der else "")
    account = Client(given).whoami()
    file = credentials.certificate_file(path, url)
    if der:
        trust.keep(file, der)
    else:
        file.unlink(missing_ok=True)
    credentials.save(path, url, given.token, given.fingerprint)
    print(f"Logged in to {url} as {account['name']}; kept in {path}")


@cli.command("logout")
def logout(
    url: Annotated[str | None, typer.Argument(help="The API's address; else the last one.")] = None,
) -> None:
    """Forget a token and its certificate.

    The token stays valid; `hythe tokens:revoke` ends it.
    """
    path = credentials.default_path()
    gone = credentials.forget(path, url.rstrip("/") if url else None)
    credentials.certificate_file(path, gone.url).unlink(missing_ok=True)
    print(f"Logged out of {gone.url}")


def _certificate(url: str, fingerprint: str | None) -> bytes | None:
    """The certificate to pin, in DER; None when none is needed; raises Failure."""
    from hythe.cli import trust

    if urlsplit(url).scheme != "https":
        if fingerprint:
            raise Misuse("There is no certificate without https://.", "Write https://HOST:PORT.")
        return None
    wanted = trust.given_fingerprint(fingerprint) if fingerprint else None
    try:
        if wanted is None and trust.is_trusted(url, TIMEOUT):
            return None
        der = trust.shown_certificate(url, TIMEOUT)
    except OSError as error:
        raise OutOfReach(
            f"There is no TLS at {url}: {error.strerror or error}.",
            "Check the address; on the server, HYTHE_BIND says where Hythe listens.",
        ) from None
    found = trust.fingerprint(der)
    if wanted is not None:
        if found != wanted:
            raise OutOfReach(
                f"The certificate of {url} is {found}, not the one given.",
                "Compare with what `bin/up` on the server shows. The token was not sent.",
            )
        return der
    print(f"No known authority has signed the certificate of {url}. Its fingerprint is\n  {found}")
    if not sys.stdin.isatty():
        raise Failure(
            "Whose certificate it is, nobody here can tell.",
            f"Compare with what `bin/up` on the server shows, and add --fingerprint {found}",
        )
    answer = input("Does `bin/up` on the server show the same? [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise Failure(
            "You are not logged in; the token was not sent.",
            "Compare with what `bin/up` on the server shows, and type `hythe login` again.",
        )
    return der
