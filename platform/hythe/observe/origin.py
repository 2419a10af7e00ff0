"""Where a container's lines come from, as its labels say."""

from collections.abc import Mapping
from dataclasses import dataclass

from hythe import names as n
from hythe.observe.line import LogLine, LogSource

KINDS = frozenset({"instance", "release-phase", "run"})
"""The containers whose output belongs into an app's log; a build's goes to its transcript."""


@dataclass(frozen=True, slots=True)
class Origin:
    app_id: int
    process: str
    index: int
    release: str
    deployment: int

    @classmethod
    def of(cls, labels: Mapping[str, str]) -> "Origin | None":
        """None for a container whose output is not collected."""
        kind = labels.get(n.LABEL_KIND, "")
        app_id = labels.get(n.LABEL_APP, "")
        if kind not in KINDS or not app_id.isdecimal():
            return None
        release = labels.get(n.LABEL_RELEASE, "")
        return cls(
            app_id=int(app_id),
            process=labels.get(n.LABEL_PROCESS, kind),
            index=int(labels.get(n.LABEL_INDEX, "1")),
            release=f"v{release}" if release else "",
            deployment=int(labels.get(n.LABEL_DEPLOYMENT, "0")),
        )

    def line(
        self,
        time: float,
        text: str,
        stream: str = "",
        source: LogSource = "app",
    ) -> LogLine:
        return LogLine(
            time=time,
            text=text,
            process=self.process,
            index=self.index,
            release=self.release,
            deployment=self.deployment,
            stream=stream,
            source=source,
        )
