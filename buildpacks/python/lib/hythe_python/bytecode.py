"""Bytecode that stays valid in an image: hash-based and unchecked.

Also a program, `python bytecode.py FOLDER`, since each version of Python must compile its own.

Python's own timestamp-checked files are stale in an image, where all modification times are the
same. Only what is missing or stale is compiled.
"""

import os
import py_compile
import subprocess
import sys
from _imp import source_hash
from collections.abc import Iterator
from importlib.util import MAGIC_NUMBER, cache_from_source
from itertools import islice
from pathlib import Path

SKIPPED = frozenset({"test", "tests", "__pycache__", ".git", "node_modules"})
UNCHECKED = (0b01).to_bytes(4, "little")
BATCH = 100
PROCESSES = min(4, len(os.sched_getaffinity(0)))
_RAW_MAGIC = int.from_bytes(MAGIC_NUMBER, "little")


def compile_with(python: Path, folder: Path) -> None:
    """Compile by this interpreter; in this process where it is the same."""
    if python.resolve() == Path(sys.executable).resolve():
        compile_tree(folder)
    else:
        subprocess.run([str(python), "-I", "-B", __file__, str(folder)], check=True)


def compile_tree(folder: Path) -> int:
    """Compile what lacks bytecode; returns how many files that were."""
    files = [str(file) for file in _sources(folder)]
    if len(files) <= BATCH or PROCESSES == 1:
        return _compile(files)
    from concurrent.futures import ProcessPoolExecutor  # costs every build 40 ms otherwise

    rest = iter(files)
    batches = iter(lambda: list(islice(rest, BATCH)), [])
    with ProcessPoolExecutor(PROCESSES) as pool:
        return sum(pool.map(_compile, batches))


def _sources(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in SKIPPED)
        for name in sorted(files):
            if name.endswith(".py"):
                yield Path(root, name)


def _compile(files: list[str]) -> int:
    done = 0
    for file in files:
        if not _current(file):
            try:
                py_compile.compile(
                    file,
                    doraise=True,
                    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
                )
                done += 1
            except (py_compile.PyCompileError, OSError, ValueError, RecursionError):
                continue  # templates and other languages' syntax; an import would say what is wrong
    return done


def _current(file: str) -> bool:
    """Whether there is unchecked bytecode of exactly this source."""
    try:
        with Path(cache_from_source(file)).open("rb") as compiled:
            head = compiled.read(16)
        if head[:8] != MAGIC_NUMBER + UNCHECKED:
            return False
        return head[8:] == source_hash(_RAW_MAGIC, Path(file).read_bytes())
    except OSError:
        return False


if __name__ == "__main__":
    compile_tree(Path(sys.argv[1]))
