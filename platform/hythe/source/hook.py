"""git's proc-receive hook: hands a push to the control plane, and its answer to git.

Runs as `python -I -S hook.py` with the standard library only, since its start is part of every
push. With git it speaks pkt-lines (gitprotocol-common, githooks(5) "proc-receive"); with the
control plane, over a unix socket, lines:

    app ID, actor NAME, atomic, force, command OLD NEW REF ..., an empty line
                                                                           to the control plane
    say TEXT ..., ok REF or ng REF REASON ..., end                         from it, as things happen
"""

import os
import sys
import time
from _socket import AF_UNIX, socket  # `socket` takes 10 ms more to import, `typing` as much
from io import BufferedReader, BufferedWriter

Report = dict[bytes, bytes]  # ref: what git is told of it, `ok REF` or `ng REF REASON`

FEATURES = {b"atomic", b"push-options"}
FORCE = b"force"  # the one push option, see stale.py
PATIENCE = 5.0  # seconds
AWAY = b"Hythe is not running"
LOST = b"lost the connection to Hythe"
LOST_LINES = (
    b" !     Lost the connection to Hythe. A deployment that had begun goes on.",
    b" !     See how it ends with: hythe releases",
)


def main() -> None:
    git, result = os.fdopen(0, "rb"), os.fdopen(1, "wb")
    features = greet(git, result)
    commands = read_section(git)
    options = read_section(git) if b"push-options" in features else []
    try:
        answer = dial(
            os.environb[b"HYTHE_SOURCE_SOCKET"],
            request(commands, b"atomic" in features, FORCE in options),
        )
    except OSError:
        say(b" !     Hythe is not running.", b" !     Start it with: bin/up")
        report = {ref: b"ng %s %s" % (ref, AWAY) for ref in refs(commands)}
    else:
        report = relay(answer, refs(commands))
    for line in report.values():
        write_packet(result, line)
    write_flush(result)


def dial(path: bytes, asked: bytes) -> BufferedReader:
    """Send a request; by way of the folder, since a socket's address holds 107 bytes at most."""
    folder, name = os.path.split(path)
    os.chdir(folder)
    connection = _connect(name)
    connection.sendall(asked)
    return os.fdopen(connection.detach(), "rb")


def _connect(name: bytes) -> socket:
    """A control plane that starts over, as one does that has lost the lead, is back in a moment."""
    end = time.monotonic() + PATIENCE
    while True:
        connection = socket(AF_UNIX)
        try:
            connection.connect(name)
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return connection


def request(commands: list[bytes], atomic: bool, force: bool) -> bytes:
    lines = [b"app " + os.environb[b"HYTHE_APP_ID"], b"actor " + os.environb[b"HYTHE_ACTOR"]]
    lines += [b"atomic"] * atomic
    lines += [b"force"] * force
    lines += [b"command " + command for command in commands]
    return b"\n".join([*lines, b"", b""])


def relay(answer: BufferedReader, wanted: list[bytes]) -> Report:
    """Show what the control plane says until it has decided; complete when it breaks off."""
    report: Report = {}
    try:
        for line in answer:
            verb, _, rest = line.rstrip(b"\n").partition(b" ")
            if verb == b"say":
                say(rest)
            elif verb in (b"ok", b"ng"):
                report[rest.partition(b" ")[0]] = line.rstrip(b"\n")
            elif verb == b"end":
                return report
    except ConnectionResetError:
        pass  # the control plane was killed
    say(*LOST_LINES)
    return {ref: b"ng %s %s" % (ref, LOST) for ref in wanted}


def say(*lines: bytes) -> None:
    """Lines for the pusher: git shows what comes on standard error as `remote: `."""
    os.write(2, b"".join(line + b"\n" for line in lines))


def refs(commands: list[bytes]) -> list[bytes]:
    return [command.split(b" ", 2)[2] for command in commands]


def greet(git: BufferedReader, result: BufferedWriter) -> set[bytes]:
    """Agree on the protocol; return the features of this push."""
    version, _, features = read_section(git)[0].partition(b"\0")
    if version != b"version=1":
        sys.exit(f"git speaks an unknown proc-receive protocol: {version!r}")
    agreed = FEATURES & set(features.split())
    write_packet(result, b"version=1\0" + b" ".join(sorted(agreed)))
    write_flush(result)
    return agreed


def read_section(stream: BufferedReader) -> list[bytes]:
    """The packets up to a flush packet."""
    packets = []
    while size := int(stream.read(4), 16):
        packets.append(stream.read(size - 4).rstrip(b"\n"))
    return packets


def write_packet(stream: BufferedWriter, data: bytes) -> None:
    stream.write(b"%04x%s" % (len(data) + 4, data))


def write_flush(stream: BufferedWriter) -> None:
    stream.write(b"0000")
    stream.flush()


if __name__ == "__main__":
    main()
