"""The unix socket on which the proc-receive hook hands pushes over (see hook.py)."""

import os
import socketserver
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from hythe import logs
from hythe.errors import HytheError
from hythe.socketpath import address

_ZERO = frozenset("0")

log = logs.get(__name__)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Command:
    """A change of one ref that a pusher asks for."""

    old: str
    new: str
    ref: str

    @property
    def deletes(self) -> bool:
        return set(self.new) == _ZERO

    @property
    def seen(self) -> str | None:
        """The commit that the pusher saw on the ref."""
        return None if set(self.old) == _ZERO else self.old


@dataclass(slots=True)
class Push:
    """What one `git push` asks for."""

    app_id: int = 0
    actor: str = ""
    atomic: bool = False
    force: bool = False  # `git push -o force`: whatever is on its way
    commands: list[Command] = field(default_factory=list)

    @classmethod
    def read(cls, lines: Iterable[str]) -> "Push":
        push = cls()
        for line in lines:
            verb, _, rest = line.rstrip("\n").partition(" ")
            match verb:
                case "app":
                    push.app_id = int(rest)
                case "actor":
                    push.actor = rest
                case "atomic":
                    push.atomic = True
                case "force":
                    push.force = True
                case "command":
                    push.commands.append(Command(*rest.split(" ", 2)))
                case "":
                    return push
        raise EOFError("the hook hung up")


Handle = Callable[[Push, Say], dict[str, str | None] | None]
"""Takes a push in; returns for each ref None (done) or why not, or None when it cannot say."""


class Listener(socketserver.ThreadingUnixStreamServer):
    """Takes pushes in, each in a thread of its own."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, path: Path, handle: Handle) -> None:
        self.path = path
        self.handle_push = handle
        super().__init__(str(path), _Conversation)

    def server_bind(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        os.fchmod(self.socket.fileno(), 0o600)
        with address(self.path) as here:
            self.socket.bind(here)

    def start(self) -> None:
        threading.Thread(
            target=self.serve_forever, args=(0.1,), name="hook-listener", daemon=True
        ).start()

    def stop(self) -> None:
        """Take no more pushes; who handles an open one ends it."""
        self.shutdown()
        self.server_close()  # the path stays: it may be that of another control plane by now


class _Conversation(socketserver.StreamRequestHandler):
    server: Listener

    def handle(self) -> None:
        try:
            push = Push.read(os.fsdecode(line) for line in self.rfile)
            results = self._results(push)
            if results is not None:
                self._decide(results)
        except (ConnectionError, EOFError):  # what was taken in goes on
            log.info("pusher went away")

    def _results(self, push: Push) -> dict[str, str | None] | None:
        try:
            return self.server.handle_push(push, self._say)
        except ConnectionError:
            raise
        except HytheError as error:
            self._say(f" !     {error.cause}")
            self._say(f" !     {error.fix}")
        except Exception as error:  # the pusher is told, whatever it was
            log.error("push failed", exc_info=error, app=push.app_id)
            self._say(" !     Hythe could not take the push; its log says why.")
        return {command.ref: "not taken in" for command in push.commands}

    def _say(self, text: str) -> None:
        """A name of the pusher's in it may hold line breaks, and must not become an answer."""
        lines = "".join(f"say {line}\n" for line in text.split("\n"))
        self.wfile.write(lines.encode(errors="surrogateescape"))

    def _decide(self, results: dict[str, str | None]) -> None:
        lines = [f"ng {ref} {why}" if why else f"ok {ref}" for ref, why in results.items()]
        self.wfile.write(os.fsencode("\n".join([*lines, "end", ""])))
