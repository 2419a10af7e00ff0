"""Runs the programs of one build, in its container: `python3 -IS agent.py SOCKET SECONDS`.

It takes one connection on a Unix socket within SECONDS ("infinity": whenever it comes), and on it
requests, a line of JSON each: {"command": [...], "env": {...}, "workdir": "/..."}. For each it
sends frames: a letter, the length of what follows (4 bytes, big-endian), and that many bytes. `o`
is a piece of what the program prints, on either stream; `e` is its exit code in decimal, as a shell
counts it, and ends the answer. When the connection ends the agent does, and its container with it.

The other end is platform/hythe/build/agent.py. It trusts nothing that it reads from here: programs
of the build run as the same user.
"""

import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

PIECE = 1 << 16  # bytes; as much as a pipe holds
LOOK_SECONDS = 0.1


def main(path: str, seconds: str) -> None:
    with connected(path, None if seconds == "infinity" else float(seconds)) as connection:
        for line in connection.makefile("rb"):
            answer(connection, json.loads(line))


def connected(path: str, seconds: float | None) -> socket.socket:
    """The one connection. Nothing can connect later: the socket is gone before anything runs."""
    with suppress(FileNotFoundError):
        os.remove(path)  # noqa: PTH107 - it does without pathlib
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.settimeout(seconds)
        listener.listen(1)
        connection = listener.accept()[0]
    os.remove(path)  # noqa: PTH107
    connection.settimeout(None)
    return connection


def answer(connection: socket.socket, request: dict[str, Any]) -> None:
    """Run a program to its end."""
    read, write = os.pipe()
    try:
        child = subprocess.Popen(
            request["command"], env=os.environ | request["env"], cwd=request["workdir"],
            stdin=subprocess.DEVNULL, stdout=write, stderr=write, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        os.close(read)
        send(connection, b"o", f"{request['command'][0]}: {error.strerror}\n".encode())
        send(connection, b"e", b"127" if isinstance(error, FileNotFoundError) else b"126")
        return
    finally:
        os.close(write)
    for data in output(read, child):
        send(connection, b"o", data)
    os.close(read)
    code = child.wait()
    send(connection, b"e", b"%d" % (code if code >= 0 else 128 - code))


def output(read: int, child: "subprocess.Popen[bytes]") -> Iterator[bytes]:
    """What it prints until it ends. Something that it left running may keep its output open."""
    left = PIECE  # of what is in the pipe when it has ended
    while left > 0:
        over = child.poll() is not None
        if not select.select([read], [], [], 0 if over else LOOK_SECONDS)[0]:
            if over:
                return
            continue
        data = os.read(read, PIECE)
        if not data:
            return
        if over:
            left -= len(data)
        yield data


def send(connection: socket.socket, kind: bytes, data: bytes) -> None:
    connection.sendall(kind + len(data).to_bytes(4, "big") + data)


if __name__ == "__main__":
    main(*sys.argv[1:])
