"""The labels that other tools of the buildpacks world read."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from hythe.build.buildpack import Buildpack
from hythe.build.layers import Layer
from hythe.build.lifecycle import Built, Made
from hythe.build.metadata import LIFECYCLE, of_build, of_project, stores, with_lifecycle
from hythe.engine.port import Image, ImageConfig

BASE = Image(
    id="sha256:base", labels={}, env={}, entrypoint=(), command=(), exposed=(), user="",
    workdir="", size=1, layers=("sha256:low", "sha256:top"),
)  # fmt: skip


def built() -> Built:
    here = Path("/x")
    buildpack = Buildpack("me/words", "1.2", "Words", (0, 10), here, homepage="https://x.test")
    made = Built((buildpack,))
    made.launch.add({"processes": [{"type": "web", "command": ["words"]}]}, (0, 10), buildpack.id)
    for name, launch in (("app", True), ("tools", False)):
        about = {"at": date(2026, 1, 2)}
        layer = Layer(name, here, launch=launch, cache=True, metadata=about)
        made.layers.append(Made("me_words", layer))
    made.stores["me_words"] = {"seen": 3}
    return made


def lifecycle(made: Built, shas: dict[Made, str], app: list[str]) -> dict[str, Any]:
    config = with_lifecycle(ImageConfig(labels={"a": "b"}), made, BASE, shas, app)
    assert config.labels is not None and config.labels["a"] == "b"
    found: dict[str, Any] = json.loads(config.labels[LIFECYCLE])
    return found


def test_the_lifecycles_label_has_digests_metadata_and_stores() -> None:
    made = built()
    about = lifecycle(made, {made.layers[0]: "sha256:one"}, ["sha256:two"])
    assert about == {
        "app": [{"sha": "sha256:two"}],
        "buildpacks": [
            {
                "key": "me/words",
                "version": "1.2",
                "layers": {
                    "app": {
                        "sha": "sha256:one", "data": {"at": "2026-01-02"},
                        "build": False, "launch": True, "cache": True,
                    }
                },
                "store": {"metadata": {"seen": 3}},
            }
        ],
        "runImage": {"reference": "sha256:base", "topLayer": "sha256:top"},
    }  # fmt: skip


def test_digests_that_a_commit_does_not_know_are_left_out() -> None:
    layers = lifecycle(built(), {}, [])["buildpacks"][0]["layers"]
    assert "sha" not in layers["app"]


def test_the_builds_label_says_who_declared_a_process() -> None:
    about = json.loads(of_build(built(), {"web": "words", "worker": "work"}))
    assert about["buildpacks"] == [
        {"id": "me/words", "version": "1.2", "api": "0.10", "homepage": "https://x.test"}
    ]
    web, worker = about["processes"]
    assert web == {
        "type": "web", "command": ["words"], "args": [], "direct": False,
        "buildpackID": "me/words",
    }  # fmt: skip
    assert "buildpackID" not in worker
    overruled = json.loads(of_build(built(), {"web": "of the Procfile"}))
    assert "buildpackID" not in overruled["processes"][0]


def test_stores_are_read_back_and_odd_labels_are_not() -> None:
    made = built()
    label = json.dumps(lifecycle(made, {}, []))
    assert stores(replace(BASE, labels={LIFECYCLE: label})) == {
        "me_words": "[metadata]\nseen = 3\n"
    }
    up = '{"buildpacks": [{"key": "..", "store": {"metadata": {"a": 1}}}]}'
    for odd in (up, "", "x", "[]", '{"buildpacks": 1}', '{"buildpacks": [{}]}'):
        assert stores(replace(BASE, labels={LIFECYCLE: odd})) == {}
    assert stores(BASE) == {}


def test_the_source_is_named_by_its_files() -> None:
    assert json.loads(of_project("ab12")) == {
        "source": {"type": "git", "version": {"tree": "ab12"}}
    }
