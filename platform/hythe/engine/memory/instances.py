"""Containers and networks of the memory engine."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from hythe.engine.memory.feed import MemoryFeed
from hythe.engine.memory.world import Box, Network, World
from hythe.engine.port import Container, ContainerSpec
from hythe.errors import EngineError, EngineLacks, ImageMissing, NetworkFull

VERSION = "memory"
KILLED = 137


class MemoryInstances:
    def __init__(self, world: World) -> None:
        self._world = world

    def list(self, labels: Mapping[str, str]) -> Sequence[Container]:
        with self._world.call("list"):
            boxes = self._world.boxes.values()
            return [_container(box) for box in boxes if labels.items() <= box.labels.items()]

    def get(self, name_or_id: str) -> Container | None:
        with self._world.call("get"):
            try:
                return _container(self._world.box(name_or_id))
            except EngineLacks:
                return None

    def create(self, spec: ContainerSpec) -> Container:
        with self._world.call("create"):
            if earlier := self._named(spec.name):
                return _container(earlier)
            image = self._world.image(spec.image)
            if image is None:
                raise ImageMissing(f"No such image: {spec.image}")
            self._check_place(spec)
            box = Box(self._world.new_id(), spec, image, address=spec.address)
            self._world.boxes[box.id] = box
            return _container(box)

    def start(self, container_id: str) -> None:
        with self._world.call("start"):
            box = self._world.box(container_id)
            if box.state != "running":
                box.stopped, box.restart_count = False, 0
                self._world.run(box)

    def stop(self, container_id: str, grace: int) -> None:
        with self._world.call("stop"):
            box = self._named(container_id)
            if box is None or box.state not in ("running", "restarting"):
                return
            box.stopped = True
            looping = box.state == "restarting"
            code = box.exit_code if looping else self._world.program_of(box).on_term
            if code is None:
                self._world.changed.wait_for(lambda: box.state != "running", grace)
            self._world.end(box, KILLED if code is None else code)
            self._world.changed.wait_for(lambda: box.state not in ("running", "restarting"))

    def kill(self, container_id: str, signal: str = "SIGKILL") -> None:
        with self._world.call("kill"):
            box = self._named(container_id)
            if box is None or box.state != "running":
                return
            box.stopped = True
            code = KILLED if signal == "SIGKILL" else self._world.program_of(box).on_term
            if code is not None:
                self._world.end(box, code)

    def rename(self, container_id: str, name: str) -> None:
        with self._world.call("rename"):
            box = self._world.box(container_id)
            if self._named(name):
                raise EngineError(f"The name {name} is taken.")
            box.spec = replace(box.spec, name=name)

    def pause(self, container_id: str) -> None:
        with self._world.call("pause"):
            self._world.box(container_id).state = "paused"

    def remove(self, container_id: str) -> None:
        with self._world.call("remove"):
            if box := self._named(container_id):
                del self._world.boxes[box.id]
                if box.state == "running":
                    box.state, box.exit_code = "dead", KILLED
                    self._world.hang_up(box)
                self._world.tell(box)

    def wait(self, container_id: str, timeout: float) -> int | None:
        with self._world.call("wait"):
            box = self._world.box(container_id)
            self._world.changed.wait_for(lambda: box.state != "running", timeout)
            return None if box.state == "running" else box.exit_code or 0

    def logs(self, container_id: str, tail: int | None = None) -> Iterator[str]:
        with self._world.call("logs"):
            log = self._world.box(container_id).log
            return iter(log[:] if tail is None else log[max(0, len(log) - tail) :])

    def follow(self, container_id: str) -> "Follower":
        with self._world.call("follow"):
            return Follower(self._world, self._world.box(container_id))

    def ensure_network(
        self,
        name: str,
        bridge: str,
        subnets: Sequence[str],
        labels: Mapping[str, str],
        *,
        neighbours: bool = True,
    ) -> str:
        with self._world.call("ensure_network"):
            if known := self._world.networks.get(name):
                return str(known.subnet)
            taken = [network.subnet for network in self._world.networks.values()]
            for candidate in map(IPv4Network, subnets):
                if not any(candidate.overlaps(other) for other in taken):
                    self._world.networks[name] = Network(candidate, bridge, dict(labels))
                    return str(candidate)
            raise NetworkFull(f"None of the {len(subnets)} subnets for {name} is free.")

    def remove_network(self, name: str) -> None:
        with self._world.call("remove_network"):
            boxes = self._world.boxes.values()
            if any(box.spec.network == name and box.state == "running" for box in boxes):
                raise EngineError(f"The network {name} has running containers.")
            self._world.networks.pop(name, None)

    def list_networks(self, labels: Mapping[str, str]) -> Sequence[str]:
        with self._world.call("list_networks"):
            found = self._world.networks.items()
            return sorted(name for name, net in found if labels.items() <= net.labels.items())

    def isolate(self, bridge_prefix: str, host_ports: Sequence[int]) -> None:
        with self._world.call("isolate"):
            self._world.rules[bridge_prefix] = tuple(host_ports)

    def unisolate(self, bridge_prefix: str) -> None:
        with self._world.call("unisolate"):
            self._world.rules.pop(bridge_prefix, None)

    def changes(self, labels: Mapping[str, str]) -> MemoryFeed:
        with self._world.call("changes"):
            feed = MemoryFeed()
            self._world.feeds.append((dict(labels), feed))
            return feed

    def ping(self) -> str:
        with self._world.call("ping"):
            return VERSION

    def _named(self, name_or_id: str) -> Box | None:
        try:
            return self._world.box(name_or_id)
        except EngineLacks:
            return None

    def _check_place(self, spec: ContainerSpec) -> None:
        if spec.network in (None, "none"):
            return
        network = self._world.networks.get(spec.network or "")
        if network is None:
            raise EngineLacks(f"No such network: {spec.network}")
        if spec.address and IPv4Address(spec.address) not in network.subnet:
            raise EngineError(f"{spec.address} is not in {network.subnet}.")


class Follower:
    """The lines of a container from its start until it ends."""

    def __init__(self, world: World, box: Box) -> None:
        self._world = world
        self._box = box
        self._read = 0
        self._closed = False

    def __iter__(self) -> "Follower":
        return self

    def __next__(self) -> str:
        with self._world.lock:
            self._world.changed.wait_for(self._can_go_on)
            if self._closed or self._read >= len(self._box.log):
                raise StopIteration
            self._read += 1
            return self._box.log[self._read - 1]

    def close(self) -> None:
        with self._world.lock:
            self._closed = True
            self._world.changed.notify_all()

    def _can_go_on(self) -> bool:
        return self._closed or self._read < len(self._box.log) or self._box.state != "running"


def _container(box: Box) -> Container:
    return Container(
        id=box.id,
        name=box.spec.name,
        image=box.image.id,
        labels=box.labels,
        state=box.state,
        exit_code=box.exit_code,
        oom_killed=box.oom_killed,
        restart_count=box.restart_count,
        started_at=box.started_at,
        finished_at=box.finished_at,
        address=box.address,
    )
