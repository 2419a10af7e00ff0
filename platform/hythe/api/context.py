"""What the endpoints work with; the composition root makes it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from hythe.api.live import Live
from hythe.api.open_streams import OpenStreams
from hythe.api.throttle import SignInThrottle
from hythe.engine.port import Engine
from hythe.model import Database, Vault
from hythe.names import Names
from hythe.observe.reader import LogReader
from hythe.release.changes import ReleaseChanges
from hythe.run.stage import RunStage
from hythe.settings import Settings
from hythe.source.stage import SourceStage

if TYPE_CHECKING:
    from hythe.api.certificate import Certificate


@dataclass(frozen=True, slots=True)
class Context:
    settings: Settings
    database: Database
    vault: Vault
    names: Names
    source: SourceStage
    changes: ReleaseChanges
    logs: LogReader
    engine: Engine  # for what is no stage's: logins, terminals
    live: Live = field(default_factory=Live)
    open_streams: OpenStreams = field(default_factory=OpenStreams)
    sign_ins: SignInThrottle = field(default_factory=SignInThrottle)
    certificate: "Callable[[], Certificate | None]" = lambda: None  # for other machines
    leads: Callable[[], bool] = lambda: True  # whether the stages run in this control plane
    tell_collector: Callable[[], None] = lambda: None  # of apps and drains, at once
    running: Callable[[], RunStage | None] = lambda: None  # the run stage, where it leads


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


CurrentContext = Annotated[Context, Depends(_context)]
