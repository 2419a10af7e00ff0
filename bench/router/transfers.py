"""100 MB down and up, and whether memory stays where it was.

`python -m bench.router.transfers down|up PORT` prints MB/s.
"""

import socket
import subprocess
import sys
import time
from functools import partial

from bench.router.contest import HOST, LOAD_CORE, ROOT, Running
from bench.router.part import LIVE, Part, Terms

SIZE = 100 * 1024 * 1024


def _transfer(router: Running, terms: Terms, *, way: str) -> dict[str, float]:
    before = router.memory()
    done = subprocess.run(
        [
            *("taskset", "-c", LOAD_CORE, sys.executable, "-m", "bench.router.transfers"),
            *(way, str(router.site.port)),
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    after = router.memory()
    return {"MB/s": float(done.stdout), "MiB": after, "gained": max(0.0, after - before)}


def _down(sock: socket.socket) -> None:
    sock.sendall(f"GET /files/100m HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    buffer = bytearray(1 << 20)
    left = SIZE
    while left > 0:
        size = sock.recv_into(buffer)
        if not size:
            raise SystemExit("cut off")
        left -= size


def _up(sock: socket.socket) -> None:
    head = f"POST /upload HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {SIZE}\r\n\r\n"
    sock.sendall(head.encode())
    piece = bytes(1 << 20)
    for _ in range(SIZE // len(piece)):
        sock.sendall(piece)
    answer = sock.recv(65536)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise SystemExit(answer.decode())


def main() -> None:
    way, port = sys.argv[1], int(sys.argv[2])
    with socket.create_connection(("127.0.0.1", port)) as sock:
        began = time.monotonic()
        {"down": _down, "up": _up}[way](sock)
        print(SIZE / 1024**2 / (time.monotonic() - began))


PARTS = [
    Part("download", "100 MB down", partial(_transfer, way="down")),
    Part("upload", "100 MB up", partial(_transfer, way="up"), backend=LIVE),
]

if __name__ == "__main__":
    main()
