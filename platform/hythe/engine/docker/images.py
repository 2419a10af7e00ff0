"""Images on a Docker Engine."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from docker.errors import APIError, ImageNotFound
from docker.errors import NotFound as Absent
from docker.utils import parse_repository_tag

from hythe.engine.docker.assembly import Assembly
from hythe.engine.docker.build import DockerfileBuild
from hythe.engine.docker.client import ANSWER_SECONDS, Client, brief, speaking
from hythe.engine.docker.config import committed_config, environment, import_changes
from hythe.engine.docker.instances import seconds
from hythe.engine.docker.pull import failure, login_failure, watch
from hythe.engine.port import Image, ImageConfig, Layer, Limits, Login
from hythe.errors import EngineError
from hythe.imagename import DEFAULT_HOST, ImageName

DOCKER_HUB = "https://index.docker.io/v1/"  # its name for logins, see docker/registry in moby


class DockerImages:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._build = DockerfileBuild(client)
        self._assembly = Assembly(client)

    def find(self, ref: str) -> Image | None:
        with speaking():
            try:
                return _image(self._client.api.inspect_image(ref))  # type: ignore[no-untyped-call]
            except ImageNotFound:
                return None

    def pull(
        self, ref: str, login: Login | None = None, say: Callable[[str], None] = lambda _: None
    ) -> Image:
        name = ImageName.parse(ref)
        auth = {"username": login.user, "password": login.password} if login else {}
        with speaking():
            try:
                progress = self._client.api.pull(
                    name.repository,
                    name.digest or name.tag,
                    stream=True,
                    decode=True,
                    auth_config=auth,  # empty: not what the operator's own docker command knows
                )
                error = watch(progress, say)
            except APIError as refused:
                error = str(refused.explanation or refused)
        if error:
            raise failure(ref, name.host, error, login is not None)
        return self._present(name.reference)

    def check_login(self, host: str, login: Login) -> None:
        api = self._client.api  # its own login() would use the credentials for later pulls as well
        body = {
            "username": login.user,
            "password": login.password,
            "serveraddress": DOCKER_HUB if host == DEFAULT_HOST else host,
        }
        with speaking():
            address = f"{api.base_url}/v{api.api_version}/auth"
            answer = api.post(address, json=body, timeout=ANSWER_SECONDS)
        if answer.status_code >= 400:
            raise login_failure(host, login.user, answer.status_code, answer.text)

    def load_root(self, tar: Path, ref: str, config: ImageConfig) -> Image:
        if not tar.is_file():  # the SDK would take the path for a URL
            raise EngineError(f"{tar} is not there.")
        repository, tag = parse_repository_tag(ref)
        with speaking():
            answer = self._client.api.import_image_from_file(
                str(tar), repository, tag or "latest", import_changes(config)
            )
        for line in map(json.loads, answer.splitlines()):  # failures arrive after a status of 200
            if "error" in line:
                raise EngineError(f"{tar} could not be imported: {brief(line['error'])}")
        return self._present(ref)

    def commit(self, container_id: str, ref: str, config: ImageConfig) -> Image:
        repository, tag = parse_repository_tag(ref)
        with speaking():
            container = self._client.api.inspect_container(container_id)
            base = self._client.api.inspect_image(container["Image"])  # type: ignore[no-untyped-call]
            self._client.bulk.commit(
                container_id,
                repository,
                tag or "latest",
                conf=committed_config(base["Config"] or {}, container["Config"], config),
            )
        return self._present(ref)

    def assembles(self) -> bool:
        return self._assembly.possible()

    def assemble(self, base: str, layers: Sequence[Layer], ref: str, config: ImageConfig) -> Image:
        identity = self._assembly.make(base, layers, ref, config)
        made = self._present(ref)
        if made.id != identity:
            raise EngineError(f"The engine made {made.id} of what is {identity}.")
        return made

    def build(
        self,
        context: Path,
        dockerfile: str,
        ref: str,
        labels: Mapping[str, str],
        limits: Limits,
        args: Mapping[str, str] | None = None,
        secrets: Mapping[str, Path] | None = None,
        network: str | None = None,
    ) -> Iterator[str]:
        return self._build.run(
            context, dockerfile, ref, labels, limits, args or {}, secrets or {}, network
        )

    def tag(self, ref: str, new_ref: str) -> None:
        repository, tag = parse_repository_tag(new_ref)
        with speaking():
            self._client.api.tag(ref, repository, tag)

    def remove(self, ref: str) -> None:
        with speaking(), suppress(Absent):
            try:
                self._client.api.remove_image(ref)
            except APIError as error:
                if error.status_code != 409:  # in use
                    raise

    def list(self, prefix: str) -> Sequence[str]:
        with speaking():
            images = self._client.api.images()
        refs = (ref for image in images for ref in image.get("RepoTags") or ())
        return sorted(ref for ref in refs if ref.startswith(prefix))

    def layer_sizes(self, ref: str) -> tuple[int, ...]:
        with speaking():
            try:
                image = self._client.api.inspect_image(ref)  # type: ignore[no-untyped-call]
                steps = self._client.api.history(ref)  # type: ignore[no-untyped-call]
            except ImageNotFound:
                return ()
        sizes = [step["Size"] for step in reversed(steps)]  # they come newest first
        return _of_layers(sizes, len(image["RootFS"].get("Layers") or ()))

    def folder(self) -> Path | None:
        with speaking():
            folder = Path(self._client.api.info()["DockerRootDir"])
        return folder if folder.is_dir() else None

    def _present(self, ref: str) -> Image:
        if image := self.find(ref):
            return image
        raise EngineError(f"The engine reported success, but has no {ref}.")


def _of_layers(sizes: Sequence[int], count: int) -> tuple[int, ...]:
    """The sizes of steps that made a layer; () where empty ones cannot be told from the others."""
    if len(sizes) != count:  # steps such as ENV make none
        sizes = [size for size in sizes if size]
    return tuple(sizes) if len(sizes) == count else ()


def _image(data: Mapping[str, Any]) -> Image:
    config = data.get("Config") or {}
    ports = (port.partition("/") for port in config.get("ExposedPorts") or {})
    return Image(
        id=data["Id"],
        labels=config.get("Labels") or {},
        env=environment(config.get("Env")),
        entrypoint=tuple(filter(None, config.get("Entrypoint") or ())),
        command=tuple(config.get("Cmd") or ()),
        exposed=tuple(sorted(int(port) for port, _, kind in ports if kind in ("tcp", ""))),
        user=config.get("User") or "",
        workdir=config.get("WorkingDir") or "",
        size=data["Size"],
        layers=tuple(data["RootFS"].get("Layers") or ()),
        digests=tuple(data.get("RepoDigests") or ()),
        created_at=seconds(data.get("Created")) or 0.0,
    )
