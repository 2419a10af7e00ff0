"""bin/fuzz: mutate seeds for a while; stop at the first input for which an oracle fails.

Seeds are text, one a file in fuzz/seeds, named ORACLE-WHAT.txt; a backslash writes what text cannot
(`\\r\\n`, `\\x00`), and line ends in the file do not count.
"""

import argparse
import random
import sys
import time
import traceback
from pathlib import Path

from fuzz.oracles import ORACLES

_SEEDS = Path(__file__).parent / "seeds"
_PIECES = [
    b"\r\n", b"\n", b"\r", b" ", b"\t", b"\x00", b"\xff", b":", b"0", b"1", b",", b";", b"=",
    b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: b\r\n",
    b"Connection: close\r\n", b"Connection: cookie\r\n", b"Cookie: a=b\r\n", b"Upgrade: h2c\r\n",
    b"HTTP/1.0", b"chunked", b"ffffffffffffffff", b"0\r\n\r\n",
]  # fmt: skip


def main() -> int:
    arguments = argparse.ArgumentParser(prog="bin/fuzz", description=__doc__)
    arguments.add_argument("--seconds", type=float, default=30.0)
    arguments.add_argument("--seed", type=int, default=None, help="repeats a run")
    given = arguments.parse_args()
    seed = given.seed if given.seed is not None else random.randrange(1 << 32)
    random.seed(seed)
    corpus = {kind: _load(kind) for kind in ORACLES}
    counts = {kind: [0, 0] for kind in ORACLES}
    end = time.monotonic() + given.seconds
    print(f"Fuzzing for {given.seconds:g} s with seed {seed}")
    for kind, seeds in corpus.items():
        for data in seeds:
            if not _holds(kind, data, counts):
                return 1
    while time.monotonic() < end:
        for kind, seeds in corpus.items():
            if not _holds(kind, _mutated(random.choice(seeds), seeds), counts):
                return 1
    for kind, (tried, taken) in counts.items():
        print(f"{kind}: {tried} inputs, {taken} of them taken, all as they must be")
    return 0


def _holds(kind: str, data: bytes, counts: dict[str, list[int]]) -> bool:
    try:
        taken = ORACLES[kind](data)
    except Exception:
        traceback.print_exc()
        print(f"\nFailed. Keep it as a seed:\n  {_SEEDS}/{kind}-NAME.txt\n{_text(data)}")
        return False
    counts[kind][0] += 1
    counts[kind][1] += taken
    return True


def _mutated(data: bytes, seeds: list[bytes]) -> bytes:
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        at = random.randrange(len(data) + 1)
        until = min(len(data), at + random.choice((0, 1, 1, 2, 8)))
        change = random.randrange(4)
        if change == 0:
            data = data[:at] + random.choice(_PIECES) + data[until:]
        elif change == 1:
            data = data[:at] + random.randbytes(1) + data[until:]
        elif change == 2:
            data = data[:at] + data[until:]
        else:
            other = random.choice(seeds)
            data = data[:at] + other[random.randrange(len(other) + 1) :]
    return data


def _load(kind: str) -> list[bytes]:
    seeds = []
    for path in sorted(_SEEDS.glob(f"{kind}-*.txt")):
        text = path.read_text().replace("\n", "")
        seeds.append(text.encode("latin-1").decode("unicode_escape").encode("latin-1"))
    return seeds


def _text(data: bytes) -> str:
    return data.decode("latin-1").encode("unicode_escape").decode().replace("\\n", "\\n\n")


if __name__ == "__main__":
    sys.exit(main())
