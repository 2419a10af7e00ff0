import json
import re
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from hythe.appjson import AppJson
from hythe.manifest import Change, Manifest, Now, difference

ROOT = Path(__file__).parents[2]

IMAGE = {"type": "image", "image": "x"}


def changes(document: dict[str, Any], now: Now, source: str | None = None) -> list[Change]:
    manifest = Manifest.check_document(document)
    return difference(manifest, "shop", now, source, None, "shop.localhost")


def test_formation_without_a_quantity_stays_and_what_is_not_named_goes_to_nought() -> None:
    now = Now(exists=True, formation={"web": 2, "worker": 1, "clock": 0})
    assert changes({"formation": {"web": {}}}, now) == [Change("formation.worker", "1", "0")]
    assert changes({"formation": {"clock": {"quantity": 1}, "web": {}, "worker": {}}}, now) == [
        Change("formation.clock", "0", "1")
    ]


def test_a_key_without_a_value_keeps_what_it_has() -> None:
    now = Now(exists=True, env={"A": "1", "B": "2"})
    assert changes({"env": {"A": {}, "B": {"generator": "secret"}}}, now) == []


def test_an_abbreviated_commit_is_the_same() -> None:
    now = Now(exists=True, source="commit abcdef1234")
    document = {"source": {"type": "commit", "commit": "abcdef1"}}
    assert changes(document, now, "commit abcdef1") == []
    assert changes(document, now, "commit abcdef2") != []


def test_the_implied_host_is_no_domain_of_its_own() -> None:
    assert changes({"domains": ["Shop.localhost."]}, Now(exists=True)) == []


def test_buildpacks_are_compared_in_their_order_and_with_their_logins() -> None:
    document = {"buildpacks": [{"url": "a/b"}, {"url": "c/d"}]}
    manifest = Manifest.check_document(document)

    def changed(now: list[tuple[str, str | None]]) -> list[Change]:
        wanted = [("a/b", None), ("c/d", "me:key")]
        return difference(manifest, "shop", Now(True, buildpacks=now), None, None, "x", wanted)

    assert changed([("a/b", None), ("c/d", "me:key")]) == []
    assert changed([("a/b", None), ("c/d", None)]) == [
        Change("buildpacks.2.login", "[secret]", "[secret]")
    ]
    assert changed([("c/d", "me:key")]) == [
        Change("buildpacks.1", "c/d", "a/b"), Change("buildpacks.2", None, "c/d"),
    ]  # fmt: skip
    assert changed([("a/b", None), ("c/d", "me:key"), ("e", None)]) == [
        Change("buildpacks.3", "e", None)
    ]


def test_the_stack_is_the_config_var_and_no_part_of_env() -> None:
    now = Now(exists=True, env={"BP_STACK": "hythe-trixie"})
    assert changes({"stack": "trixie", "env": {}}, now) == []
    assert changes({"stack": "bookworm"}, now) == [Change("stack", "trixie", "bookworm")]
    assert changes({"stack": "heroku-24"}, now) == []
    assert changes({"stack": "trixie"}, Now(exists=True)) == [Change("stack", None, "trixie")]
    assert changes({"env": {}}, now) == [Change("env.BP_STACK", "[secret]", None)]


def test_processes_that_are_gone_from_the_document_go() -> None:
    now = Now(exists=True, source="image x", procfile="web: a\nworker: b\n")
    assert changes({"source": IMAGE, "processes": {"web": "a"}}, now, "image x") == [
        Change("processes.worker", "b", None)
    ]


NAMES = st.sampled_from(["web", "worker", "clock"])
NUMBERS = st.dictionaries(NAMES, st.integers(0, 3))
VARS = st.dictionaries(st.sampled_from("ABC"), st.text(max_size=2))
HOSTS = st.frozensets(st.sampled_from(["a.example.com", "b.example.com"]))


@given(NUMBERS, VARS, HOSTS, NUMBERS, VARS, HOSTS)
def test_what_matches_has_no_difference(
    formation: dict[str, int],
    env: dict[str, str],
    hosts: frozenset[str],
    old_formation: dict[str, int],
    old_env: dict[str, str],
    old_hosts: frozenset[str],
) -> None:
    document = {
        "formation": {kind: {"quantity": number} for kind, number in formation.items()},
        "env": env,
        "domains": sorted(hosts),
    }
    then = Now(exists=True, env=env, formation=formation, domains=hosts)
    assert changes(document, then) == []
    before = Now(exists=True, env=old_env, formation=old_formation, domains=old_hosts)
    paths = [change.path for change in changes(document, before)]
    assert len(paths) == len(set(paths))
    assert {path for path in paths if path.startswith("env.")} == {
        f"env.{key}" for key in env.keys() | old_env.keys() if env.get(key) != old_env.get(key)
    }


def test_what_was_left_out_is_said_of_the_manifest_only() -> None:
    """Its health check goes along with the source, which would warn of it again."""
    checks = {"web": [{"path": "/up", "port": 80, "attempts": 3, "odd": 1}, {"type": "liveness"}]}
    source = {"type": "image", "image": "shop"}
    made = Manifest.check_document({"source": source, "healthchecks": checks})
    assert len(list(made.warnings())) == 1
    sent = AppJson.read(made.app_json_text() or "")
    assert list(sent.warnings()) == []
    assert (sent.check.path, sent.check.port) == ("/up", 80)


def test_the_documents_of_the_guide_are_read_without_a_warning() -> None:
    page = (ROOT / "docs" / "how-to" / "manifests.md").read_text()
    blocks = dict(re.findall(r"```(json|yaml)\n(.*?)```", page, re.DOTALL))
    about = AppJson.read(blocks["json"])
    assert list(about.warnings()) == []
    example = yaml.safe_load((ROOT / "examples" / "manifest" / "hello.yaml").read_text())
    assert yaml.safe_load(blocks["yaml"]) == example
    assert list(Manifest.check_document(example).warnings()) == []
    assert json.loads(blocks["json"])["formation"]["web"] == {"quantity": 2}
