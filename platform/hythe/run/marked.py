"""The processes of an exec. The engine cannot signal them, so they are found by a mark.

The mark is a variable of their environment, which all that they start inherits.
"""

from collections.abc import Sequence

from hythe.engine.port import Engine
from hythe.errors import EngineError

MARK = "HYTHE_EXEC"
NO_SHELL = frozenset({126, 127})  # exit codes of a program that cannot be run

# $1 is the mark with its value. A process that has ended, but was not reaped, has no environment.
_HIT = """
hit() {
    found=1
    for each in /proc/[0-9]*; do
        if grep -qs "$1" "$each/environ"; then
            kill "-$2" "${each#/proc/}" 2>/dev/null && found=0
        fi
    done
    return $found
}
"""
_END = (
    _HIT
    + """
hit "$1" HUP
hit "$1" TERM
left=50
while hit "$1" 0 && [ $left -gt 0 ]; do left=$((left - 1)); sleep 0.1; done
hit "$1" KILL
exit 0
"""
)


def mark(run_id: int) -> dict[str, str]:
    """The variable; ids of equal length, so that none is the beginning of another."""
    return {MARK: f"{run_id:012d}"}


def signal(engine: Engine, container_id: str, run_id: int, name: str) -> None:
    """Send SIGname to all of them. Raises EngineError."""
    _run(engine, container_id, [f'{_HIT}hit "$1" "$2"; exit 0', *_word(run_id), name])


def end(engine: Engine, container_id: str, run_id: int) -> None:
    """SIGHUP and SIGTERM, five seconds, SIGKILL. Raises EngineError."""
    _run(engine, container_id, [_END, *_word(run_id)])


def _word(run_id: int) -> list[str]:
    return ["sh", *(f"{key}={value}" for key, value in mark(run_id).items())]


def _run(engine: Engine, container_id: str, arguments: Sequence[str]) -> None:
    done = engine.sessions.run(container_id, ["/bin/sh", "-c", *arguments])
    if done.code in NO_SHELL:
        raise EngineError("The image has no shell, so a program in it cannot be signaled.")
