"""What applies to the requests of one app: its settings, and the router's defaults for the rest."""

from dataclasses import dataclass

from hythe.route.options import RouterOptions
from hythe.route_settings import RouteSettings

_MOST = 1024


@dataclass(frozen=True, slots=True)
class Rules:
    """RouteSettings with every value there. Seconds and bytes; 0 is no limit."""

    body_limit: int
    connect: float
    first_byte: float
    idle: float
    websocket_idle: float
    hold: float
    backlog: int
    target_requests: int
    rate: int
    burst: int
    sticky: bool
    slow_start: float
    https_only: bool
    hsts: float


class RuleBook:
    """Gives equal settings the same Rules, so that thousands of routes share one."""

    def __init__(self, options: RouterOptions) -> None:
        timeouts, limits = options.timeouts, options.limits
        self._defaults: dict[str, int | float | bool] = {
            "body_limit": limits.body,
            "connect": timeouts.connect,
            "first_byte": timeouts.first_byte,
            "idle": timeouts.rolling,
            "websocket_idle": timeouts.websocket_idle,
            "hold": timeouts.hold,
            "backlog": limits.backlog,
            "target_requests": limits.target_requests,
            "rate": 0,
            "burst": 0,
            "sticky": False,
            "slow_start": timeouts.slow_start,
            "https_only": False,
            "hsts": 0,
        }
        self._known: dict[RouteSettings, Rules] = {}

    def of(self, settings: RouteSettings) -> Rules:
        rules = self._known.get(settings)
        if rules is None:
            if len(self._known) >= _MOST:
                self._known.clear()
            values = self._defaults | settings.to_json()
            values["burst"] = values["burst"] or max(1, values["rate"] * 2)
            rules = self._known[settings] = Rules(**values)  # type: ignore[arg-type]
        return rules
