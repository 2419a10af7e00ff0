"""What an app's log says when memory gets short: R14 near the limit, R15 when it was killed for."""

from hythe.observe.cgroup import Reading

NEAR, FAR = 0.9, 0.8
"""Shares of the limit: R14 is said at the first, and again only after the second."""
_MIB = 1024**2


class Quota:
    """One instance's."""

    def __init__(self) -> None:
        self._told = False

    def look(self, reading: Reading, kills: int) -> list[tuple[str, str]]:
        """(kind of event, line) for what is new. kills: since the last look."""
        news = []
        if kills:
            said = f"the kernel killed {kills} process{'es' if kills > 1 else ''} for memory"
            limit = f" (the limit is {reading.limit // _MIB} MiB)" if reading.limit else ""
            news.append(("instance.oom", f"Error R15 (Memory quota exceeded): {said}{limit}"))
        share = reading.memory / reading.limit if reading.limit else 0.0
        if share >= NEAR and not self._told:
            self._told = True
            used = f"{reading.memory // _MIB} of {reading.limit // _MIB} MiB ({share:.0%})"
            news.append(("instance.memory", f"Error R14 (Memory quota nearly used): {used}"))
        elif share < FAR:
            self._told = False
        return news
