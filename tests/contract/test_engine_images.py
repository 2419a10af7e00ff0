"""Images: what both engines promise."""

import hashlib
import io
import secrets
import tarfile
from pathlib import Path

import pytest
from contract.kit import UP, Kit
from images import BUSYBOX

from hythe.engine.port import Image, ImageConfig, Layer, Limits
from hythe.errors import BuildError, EngineError


def based(kit: Kit, config: ImageConfig) -> Image:
    """A new image, committed from a fresh container of the test image."""
    return kit.engine.images.commit(kit.create().id, kit.ref("base"), config)


def test_absent_image_is_not_found(kit: Kit) -> None:
    assert kit.engine.images.find(kit.ref("missing")) is None


def test_absent_image_is_not_pulled(kit: Kit) -> None:
    with pytest.raises(EngineError):
        kit.engine.images.pull(kit.ref("missing"))


def test_loaded_root_carries_its_configuration(kit: Kit, root_tar: Path) -> None:
    config = ImageConfig(
        env={"GREETING": 'a "b" $HOME \\ c'},
        labels={"io.hythe.test": "a b"},
        entrypoint=("/hello",),
        command=("x y", "z"),
        workdir="/srv",
        user="1000:1000",
    )
    image = kit.engine.images.load_root(root_tar, kit.ref(), config)
    assert kit.engine.images.find(kit.ref()) == image == kit.engine.images.find(image.id)
    assert image.env["GREETING"] == 'a "b" $HOME \\ c'
    assert image.labels == {"io.hythe.test": "a b"}
    assert (image.entrypoint, image.command) == (("/hello",), ("x y", "z"))
    assert (image.workdir, image.user) == ("/srv", "1000:1000")
    assert len(image.layers) == 1
    assert image.size > 0


def test_commit_changes_what_it_is_told_to(kit: Kit) -> None:
    base = based(kit, ImageConfig(env={"A": "1", "B": "1"}, labels={"a": "1"}, user="7"))
    container = kit.create(image=kit.ref("base"))
    config = ImageConfig(env={"B": "2"}, labels={"b": "2"}, command=("new",), workdir="/tmp")
    image = kit.engine.images.commit(container.id, kit.ref("new"), config)
    assert base.env.items() | {("B", "2")} >= image.env.items() >= {("A", "1"), ("B", "2")}
    assert image.labels.items() >= {("a", "1"), ("b", "2")}
    assert (image.command, image.workdir, image.user) == (("new",), "/tmp", "7")
    assert image.layers[: len(base.layers)] == base.layers


def test_commit_leaves_out_what_the_container_set_for_itself(kit: Kit) -> None:
    base = based(kit, ImageConfig(labels={"kept": "yes"}, command=("serve",), user="7"))
    labels = kit.labels | {"io.hythe.build": "4"}
    own = {"user": "0", "workdir": "/tmp", "entrypoint": ("sleep",), "labels": labels}
    container = kit.create(("300",), image=kit.ref("base"), **own)
    image = kit.engine.images.commit(container.id, kit.ref("new"), ImageConfig())
    assert (image.command, image.entrypoint) == (base.command, base.entrypoint)
    assert (image.user, image.env) == (base.user, base.env)
    assert image.labels["kept"] == "yes"
    heir = kit.create(image=kit.ref("new"))
    build = {"io.hythe.build": "4"}
    assert [container.name] == [found.name for found in kit.instances.list(build | kit.labels)]
    assert heir.labels["kept"] == "yes"


def test_commit_of_an_image_without_a_command_adds_none(kit: Kit, root_tar: Path) -> None:
    kit.engine.images.load_root(root_tar, kit.ref("bare"), ImageConfig())
    container = kit.create(UP, image=kit.ref("bare"))
    image = kit.engine.images.commit(container.id, kit.ref("new"), ImageConfig())
    assert (image.entrypoint, image.command) == ((), ())


def test_second_name_keeps_the_image_when_the_first_goes(kit: Kit) -> None:
    images = kit.engine.images
    image = based(kit, ImageConfig())
    images.tag(kit.ref("base"), kit.ref("v2"))
    assert images.list(kit.prefix) == [kit.ref("base"), kit.ref("v2")]
    images.remove(kit.ref("base"))
    found = images.find(kit.ref("v2"))
    assert images.list(kit.prefix) == [kit.ref("v2")]
    assert found and found.id == image.id
    images.remove(kit.ref("v2"))
    images.remove(kit.ref("v2"))
    assert images.find(kit.ref("v2")) is None


def test_image_in_use_stays(kit: Kit) -> None:
    based(kit, ImageConfig())
    kit.started(image=kit.ref("base"))
    kit.engine.images.remove(kit.ref("base"))
    assert kit.engine.images.find(kit.ref("base"))


def test_dockerfile_is_built(kit: Kit, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {BUSYBOX}\nENV A=1\n")
    labels = {"io.hythe.test": "built"}
    lines = list(kit.engine.images.build(tmp_path, "Dockerfile", kit.ref(), labels, Limits()))
    image = kit.engine.images.find(kit.ref())
    assert any("FROM" in line for line in lines)
    assert image and image.labels["io.hythe.test"] == "built"


def test_missing_dockerfile_fails_the_build(kit: Kit, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="Dockerfile"):
        list(kit.engine.images.build(tmp_path, "Dockerfile", kit.ref(), {}, Limits()))


def layer(folder: Path, name: str, text: str) -> Layer:
    """A layer with one file."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.tar"
    with tarfile.open(path, "w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text.encode()))
    return Layer(f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}", path)


def test_an_assembled_image_has_the_same_id_each_time(kit: Kit, tmp_path: Path) -> None:
    images = kit.engine.images
    assert images.assembles()
    base = based(kit, ImageConfig(env={"A": "1"}, labels={"a": "1"}))
    one, two = layer(tmp_path, "one", "1"), layer(tmp_path, "two", "2")
    config = ImageConfig(env={"B": "2"}, labels={"b": "2"}, command=("x",), workdir="/srv")
    made = images.assemble(base.id, [one, two], kit.ref("made"), config)
    assert made.layers == (*base.layers, one.diff_id, two.diff_id)
    assert made.env.items() >= {("A", "1"), ("B", "2")}
    assert made.labels.items() >= {("a", "1"), ("b", "2")}
    assert (made.command, made.workdir) == (("x",), "/srv")
    known = [Layer(each.diff_id, None) for each in (one, two)]
    assert images.assemble(base.id, known, kit.ref("again"), config) == made
    third = layer(tmp_path, "three", "3")
    longer = images.assemble(base.id, [*known, third], kit.ref("longer"), config)
    assert longer.layers == (*made.layers, third.diff_id)
    images.remove(kit.ref("made"))
    assert images.find(kit.ref("again")) is not None


def test_layers_have_sizes_and_shared_ones_the_same(kit: Kit, tmp_path: Path) -> None:
    images = kit.engine.images
    base = based(kit, ImageConfig())
    one, two = layer(tmp_path, "one", "1" * 5000), layer(tmp_path, "two", "2" * 70000)
    short = images.assemble(base.id, [one], kit.ref("short"), ImageConfig())
    long = images.assemble(base.id, [one, two], kit.ref("long"), ImageConfig())
    sizes = images.layer_sizes(long.id)
    assert len(sizes) == len(long.layers)
    assert images.layer_sizes(kit.ref("short")) == sizes[: len(short.layers)]
    assert sizes[-2] >= 5000 and sizes[-1] >= 70000
    assert images.layer_sizes(kit.ref("missing")) == ()


def test_a_layer_that_is_not_there_cannot_be_left_out(kit: Kit, tmp_path: Path) -> None:
    base = based(kit, ImageConfig())
    unknown = layer(tmp_path, "unknown", secrets.token_hex(8))
    with pytest.raises(EngineError):
        kit.engine.images.assemble(
            base.id, [Layer(unknown.diff_id, None)], kit.ref("bad"), ImageConfig()
        )
    assert kit.engine.images.find(kit.ref("bad")) is None
