"""What a worker counts for one app. Nothing is allocated for a request; the master adds up.

Times go to a histogram with four buckets for each doubling, so a quantile is known to 25 %.
"""

from typing import Any

_FLOOR = 8  # times below 2^8 us share the first buckets
_OCTAVES = 20  # up to 2^28 us, 268 s
BUCKETS = 4 * (_OCTAVES + 1)
COUNTERS = ("bytes_in", "bytes_out", "connects", "connect_failures", "retries", "ejections",
            "queued", "limited", "failed")  # fmt: skip
(BYTES_IN, BYTES_OUT, CONNECTS, CONNECT_FAILURES, RETRIES, EJECTIONS, QUEUED, LIMITED,
 FAILED) = range(9)  # fmt: skip
CLASSES = 6  # by the first digit of the status


class Tally:
    """Counts since the last `take`."""

    __slots__ = ("buckets", "classes", "counters", "errors", "touched")

    def __init__(self) -> None:
        self.classes = [0] * CLASSES
        self.buckets = [0] * BUCKETS
        self.counters = [0] * len(COUNTERS)
        self.errors: dict[str, int] = {}
        self.touched = False

    def served(
        self,
        status: int,
        microseconds: int,
        received: int,
        sent: int,
        code: str = "",
        failed: bool = False,
    ) -> None:
        """A request has ended; sizes are bytes of bodies, `code` is of an error of the router's."""
        self.touched = True
        self.classes[status // 100] += 1
        self.buckets[bucket_of(microseconds)] += 1
        if received:
            self.counters[BYTES_IN] += received
        self.counters[BYTES_OUT] += sent
        if code:
            self.errors[code] = self.errors.get(code, 0) + 1
        if failed:
            self.counters[FAILED] += 1

    def count(self, counter: int) -> None:
        self.touched = True
        self.counters[counter] += 1

    def take(self) -> dict[str, Any]:
        """What was counted, sparse, to send; counting begins anew."""
        taken = {
            "classes": self.classes,
            "buckets": {i: n for i, n in enumerate(self.buckets) if n},
            "counters": self.counters,
            "errors": self.errors,
        }
        self.__init__()  # type: ignore[misc]
        return taken


def bucket_of(microseconds: int) -> int:
    octave = microseconds.bit_length() - _FLOOR
    if octave <= 0:
        return microseconds >> 6
    if octave > _OCTAVES:
        return BUCKETS - 1
    return 4 * octave + (microseconds >> (octave + 5) & 3)


def upper_bound(bucket: int) -> int:
    """The first microsecond that falls above a bucket."""
    octave, quarter = divmod(bucket, 4)
    if octave == 0:
        return (quarter + 1) << 6
    return (5 + quarter) << (octave + 5)
