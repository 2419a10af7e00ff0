"""New TLS connections: a handshake, whole or resumed, and one request.

`python -m bench.router.handshakes full|resumed PORT SECONDS` prints how many there were.
"""

import socket
import ssl
import subprocess
import sys
import time
from functools import partial

from bench.router.contest import HOST, LOAD_CORE, ROOT, Running
from bench.router.part import Part, Terms


def _shake(router: Running, terms: Terms, *, kind: str) -> dict[str, float]:
    before = router.cpu()
    done = subprocess.run(
        [
            *("taskset", "-c", LOAD_CORE, sys.executable, "-m", "bench.router.handshakes"),
            *(kind, str(router.site.tls_port), str(terms.seconds)),
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    spent = router.cpu() - before
    count = int(done.stdout)
    return {"connections/s": count / terms.seconds, "us": spent / count}


def _connect(
    context: ssl.SSLContext, port: int, session: ssl.SSLSession | None
) -> ssl.SSLSession | None:
    """One connection; gives the session to resume."""
    raw = socket.create_connection(("127.0.0.1", port))
    with context.wrap_socket(raw, server_hostname=HOST, session=session) as tls:
        tls.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while data := tls.recv(65536):
            answer += data
        if not answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(answer.decode())
        if session is not None and not tls.session_reused:
            raise SystemExit("the session was not resumed")
        return tls.session


def main() -> None:
    kind, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    session = _connect(context, port, None)
    count = 1
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        latest = _connect(context, port, session if kind == "resumed" else None)
        session = latest or session
        count += 1
    print(count)


PARTS = [
    Part(kind, f"TLS handshake, {kind}", partial(_shake, kind=kind)) for kind in ("full", "resumed")
]

if __name__ == "__main__":
    main()
