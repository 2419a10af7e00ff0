"""Chosen buildpacks: put into the build's own folder, and read as Cloud Native or classic."""

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli_w

from hythe.build.buildpack import Buildpack, Catalog, GroupMember, Order, read, require_programs
from hythe.build.container import CHOSEN
from hythe.build.workspace import COPY_SECONDS, Workspace, give_tree
from hythe.buildpackpin import BuildpackPin
from hythe.errors import BuildError, PlatformError
from hythe.suite import DEFAULT, Suite

INLINE_API = "0.10"
CLASSIC_API = (0, 0)


def choose(
    own: Catalog,
    pins: Sequence[Mapping[str, Any]],
    sources: Path,
    workspace: Workspace,
    uid: int,
    suite: Suite = DEFAULT,
) -> Catalog:
    """The catalog for a source that names buildpacks: they are the only group, in their order.

    Those that go before and after (`pre`, `post`) surround every group of `own` when no others are
    named. sources: the folder that holds fetched ones by their tree.
    """
    known = dict(own.buildpacks)
    places: dict[str, list[GroupMember]] = {"pre": [], "group": [], "post": []}
    for number, document in enumerate(pins, start=1):
        pin = BuildpackPin.read(document)
        if pin.kind == "own":
            identity, _, version = pin.name.partition("@")
            member = GroupMember(identity, version or None)
        else:
            buildpack = _install(pin, number, sources, workspace, uid, suite)
            if buildpack.id in known and known[buildpack.id].pin is not None:
                raise BuildError(
                    f"Two of the chosen buildpacks are {buildpack.id}.", "Remove one of them."
                )
            known[buildpack.id] = buildpack
            member = GroupMember(buildpack.id)
        places[pin.place].append(member)
    pre, post = tuple(places["pre"]), tuple(places["post"])
    groups: Order = (tuple(places["group"]),) if places["group"] else own.order
    return Catalog(known, tuple((*pre, *group, *post) for group in groups))


def _install(
    pin: BuildpackPin, number: int, sources: Path, workspace: Workspace, uid: int, suite: Suite
) -> Buildpack:
    """Copy one to where the build container has it; a classic one may write into its folder."""
    name = f"{number:02}"
    folder = workspace.buildpacks / name
    if pin.kind == "inline":
        _write_inline(pin, folder)
    else:
        _copy(_place(pin, sources, workspace), folder, pin.text)
    found = _read(folder, f"{CHOSEN}/{name}", pin, suite)
    if found.classic:
        give_tree(folder, uid)
    return replace(found, pin={k: v for k, v in pin.as_json().items() if k != "script"})


def _place(pin: BuildpackPin, sources: Path, workspace: Workspace) -> Path:
    if pin.kind != "folder":
        return sources / (pin.tree or "")
    place = workspace.app / pin.name
    if not place.is_dir() or not place.resolve().is_relative_to(workspace.app.resolve()):
        raise BuildError(
            f"project.toml names the buildpack {pin.name}, which is no folder of the source.",
            "Correct its path, relative to the source's root.",
        )
    return place


def _copy(place: Path, folder: Path, shown: str) -> None:
    command = ["cp", "-a", "--reflink=auto", "--", f"{place}/.", str(folder)]
    folder.mkdir()
    done = subprocess.run(command, capture_output=True, text=True, timeout=COPY_SECONDS)
    if done.returncode != 0:
        raise PlatformError(
            f"The buildpack {shown} cannot be copied: {done.stderr.strip()[:200]}",
            "Is the disk full?",
        )


def _write_inline(pin: BuildpackPin, folder: Path) -> None:
    """A buildpack of a script in project.toml; it always passes detection."""
    script = pin.script or {}
    (folder / "bin").mkdir(parents=True)
    about = {"id": pin.name, "version": "0"}
    text = tomli_w.dumps({"api": script.get("api", INLINE_API), "buildpack": about})
    (folder / "buildpack.toml").write_text(text)
    shell = script.get("shell", "/bin/sh")
    for name, lines in (("detect", "#!/bin/sh\n"), ("build", f"#!{shell}\n{script['inline']}\n")):
        (folder / "bin" / name).write_text(lines)
        (folder / "bin" / name).chmod(0o755)


def _read(folder: Path, mounted: str, pin: BuildpackPin, suite: Suite) -> Buildpack:
    """Told apart by the files: bin/compile makes a classic one."""
    if (folder / "bin" / "compile").exists() and not (folder / "bin" / "build").exists():
        require_programs(folder, pin.text, ("bin/detect", "bin/compile"))
        return _classic(folder, mounted, pin)
    if (folder / "buildpack.toml").exists():
        return read(folder, mounted, pin.text, suite)
    entries = ", ".join(sorted(entry.name for entry in folder.iterdir())[:5]) or "nothing"
    shutil.rmtree(folder)
    raise BuildError(
        f"{pin.text} is no buildpack: it holds {entries}.",
        "It needs buildpack.toml, bin/detect and bin/build; or, if it is a classic one, bin/detect"
        " and bin/compile.",
    )


def _classic(folder: Path, mounted: str, pin: BuildpackPin) -> Buildpack:
    path = re.sub(r"^[a-z]+://[^/]+/|^[^/:]+:", "", pin.name).removesuffix(".git")
    words = [word for word in re.split(r"[^A-Za-z0-9._-]+", path) if word]
    identity = "/".join(words[-2:]) or "classic"
    version = (pin.pinned or "0")[:12]
    return Buildpack(
        id=identity,
        version=version,
        name=identity,
        api=CLASSIC_API,
        folder=folder,
        mounted=mounted,
        classic=True,
    )
