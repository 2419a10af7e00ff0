"""What is: an app's containers by instance id, health answers, and what the routers say."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hythe import names as n
from hythe.engine.port import Container, Engine
from hythe.names import Names
from hythe.run.health import Answer, Life, Prober
from hythe.run.routers import Routers
from hythe.run.traffic import Traffic, word_of
from hythe.wire import Version


@dataclass(frozen=True, slots=True)
class Observed:
    """One look at the world."""

    containers: Mapping[int, Container]  # by instance id
    strays: tuple[Container, ...] = ()  # this app's, but of no instance row
    answers: Mapping[int, Answer] = field(default_factory=dict)  # health, by instance id
    published: Version = (0, 0)  # the newest table
    acked: Version | None = None  # what all live routers have; None: nobody to wait for
    in_flight: Mapping[str, int] = field(default_factory=dict)  # by target id
    free_starts: int = 4  # how many more instances may boot now
    lives: Mapping[int, Life] = field(default_factory=dict)  # of those that are tended, by instance
    watched: Mapping[str, Traffic] = field(default_factory=dict)  # what a rollout cost, by release

    def reached(self, version: Version) -> bool:
        """Whether every live router has this table version."""
        return self.acked is None or self.acked >= version


def look(
    engine: Engine,
    names: Names,
    prober: Prober,
    routers: Routers,
    published: Version,
    app_id: int,
    known: frozenset[int],
    free_starts: int,
    rolling: int | None = None,
) -> Observed:
    """Ask the engine and the routers. `known` are the ids of the app's instance rows, `rolling` is
    the deployment that takes over."""
    labels = {**names.labels, n.LABEL_KIND: "instance", n.LABEL_APP: str(app_id)}
    containers: dict[int, Container] = {}
    strays: list[Container] = []
    for container in engine.instances.list(labels):
        instance_id = int(container.labels.get(n.LABEL_INSTANCE, 0))
        if instance_id in known:
            containers[instance_id] = container
        else:
            strays.append(container)
    return Observed(
        containers=containers,
        strays=tuple(strays),
        answers=prober.answers(known),
        lives=prober.lives(known),
        published=published,
        acked=routers.acked(),
        in_flight=routers.in_flight(),
        free_starts=free_starts,
        watched=routers.watched(word_of(rolling)) if rolling is not None else {},
    )
