"""What the set-up says: steps with their time, and problems with a cause and a fix."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

QUICK_SECONDS = 1.0
MARK = " !     "


class Problem(Exception):
    """The set-up cannot go on; says why, and what to do about it."""

    def __init__(self, cause: str, fix: str, details: str = "") -> None:
        super().__init__(cause)
        self.cause, self.fix, self.details = cause, fix, details

    def __str__(self) -> str:
        # What a program of Hythe's says of itself comes with marks of its own.
        details = [line.removeprefix(MARK) for line in self.details.splitlines()]
        lines = [*details, "", self.cause, *self.fix.splitlines()]
        return "\n".join(f"{MARK}{line}".rstrip() for line in lines[0 if self.details else 1 :])


def say(text: str = "") -> None:
    print(text, flush=True)


def detail(text: str) -> None:
    say(f"       {text}")


def ask(question: str) -> bool:
    """A yes or no from the terminal; yes is the default."""
    try:
        answer = input(f"       {question} [Y/n] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("", "y", "yes")


def has_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


@contextmanager
def step(title: str) -> Iterator[None]:
    """Show a step: a counter on a terminal while it runs, and how long it took.

    A step that turns out to be quick leaves no trace on a terminal. Without a terminal its title
    is printed once it has taken a second.
    """
    ended = threading.Event()
    started = time.monotonic()
    progress = threading.Thread(target=_progress, args=(title, started, ended), daemon=True)
    progress.start()
    failed = True
    try:
        yield
        failed = False
    finally:
        ended.set()
        progress.join()
        seconds = time.monotonic() - started
        if sys.stdout.isatty():
            print("\r\033[K", end="")
        if failed:
            say(f"-----> {title}: failed after {seconds:.1f} s")
        elif seconds >= QUICK_SECONDS:
            say(f"-----> {title}: {seconds:.1f} s")


def _progress(title: str, started: float, ended: threading.Event) -> None:
    if not sys.stdout.isatty():
        if not ended.wait(QUICK_SECONDS):
            say(f"-----> {title} ...")
        return
    while not ended.wait(0.1):
        print(f"\r\033[K-----> {title} ... {time.monotonic() - started:.0f} s", end="", flush=True)
