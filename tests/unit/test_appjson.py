import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hythe.appjson import LARGEST, AppJson
from hythe.errors import AppJsonError, HytheError, MissingConfig


def test_values_and_secrets_are_for_keys_that_are_not_there() -> None:
    about = AppJson.of({"env": {"A": "1", "B": {"value": "2"}, "S": {"generator": "secret"}}})
    first = about.first_values({"B"})
    assert first.keys() == {"A", "S"} and first["A"] == "1"
    assert len(bytes.fromhex(first["S"])) == 32
    assert about.first_values({"B"})["S"] != first["S"]
    assert about.first_values({"A", "B", "S"}) == {}


def test_a_key_without_a_value_is_required_unless_it_says_otherwise() -> None:
    about = AppJson.of({"env": {
        "A": {"description": "the key of the shop"}, "B": {"required": False}, "C": "1",
        "D": {"generator": "secret"}, "E": {"required": True},
    }})  # fmt: skip
    with pytest.raises(MissingConfig) as raised:
        about.require([], "shop")
    assert "A, E" in raised.value.cause and "the key of the shop" in raised.value.cause
    assert "hythe config:set A=... E=... -a shop" in raised.value.fix
    about.require(["A", "E"], "shop")


def test_the_check_of_web_is_the_first_of_its_kind() -> None:
    checks = [{"type": "liveness", "path": "/no"}, {"type": "startup", "path": "/up", "port": 80}]
    about = AppJson.of({"healthchecks": {"web": [*checks, {}], "worker": [{"uptime": 5}]}})
    assert (about.check.path, about.check.port) == ("/up", 80)
    assert (AppJson().check.path, AppJson().check.port) == ("/", None)
    assert [text.split("`")[1] for text in about.warnings()] == ["healthchecks.web[2]"]
    asked = about.health()
    assert asked["web"]["liveness"].path == "/no"
    assert (asked["worker"]["startup"].kind, asked["worker"]["startup"].uptime) == ("running", 5)


def test_what_a_check_asks() -> None:
    checks = [
        {"path": "/up", "status": "200-299", "host": "a.example.com", "content": "ok"},
        {"type": "liveness", "command": ["test", "-e", "/tmp/well"], "attempts": 5, "wait": 2},
    ]
    asked = AppJson.of({"healthchecks": {"web": checks, "worker": [{"listening": True}]}}).health()
    startup, liveness = asked["web"]["startup"], asked["web"]["liveness"]
    assert (startup.kind, startup.lowest, startup.highest) == ("http", 200, 299)
    assert (startup.host, startup.content) == ("a.example.com", "ok")
    assert (liveness.kind, liveness.command[0], liveness.attempts) == ("command", "test", 5)
    assert asked["worker"]["startup"].kind == "tcp"


def test_settings_of_process_types_are_read_as_ps_set_takes_them() -> None:
    web = {"surge": 1, "min-healthy": "75%", "drain-timeout": "1m"}
    about = AppJson.of({"formation": {"web": {"settings": web}}})
    kept = {"surge": 1, "min_healthy": "75%", "drain_timeout": 60.0}
    assert about.process_settings() == {"web": kept}


def test_what_is_left_out_is_named() -> None:
    about = AppJson.of({
        "name": "shop", "website": "https://example.com", "keywords": ["a"],
        "cron": [], "addons": ["db"], "buildpacks": [{"url": "a/b", "odd": 1}],
        "scripts": {"postdeploy": "x"},
        "surprise": 1, "formation": {"web": {"quantity": 1, "size": "m", "odd": 2}},
        "healthchecks": {"web": [{"timeout": 3, "odd": 1}]},
        "env": {"A": {"value": "", "odd": 1}},
    })  # fmt: skip
    assert {text.split("`")[1] for text in about.warnings()} == {
        "cron", "addons", "buildpacks[0].odd", "scripts", "surprise", "formation.web.size",
        "formation.web.odd", "healthchecks.web[0].odd", "env.A.odd",
    }  # fmt: skip
    assert all(text.startswith("app.json: ") for text in about.warnings())


def test_a_stack_is_one_of_debians_and_one_of_herokus_is_left_out() -> None:
    found = AppJson.of({"stack": "trixie"}).suite
    assert found is not None and found.python == "3.13"
    about = AppJson.of({"stack": "heroku-24"})
    assert about.suite is None
    assert list(about.warnings()) == [
        "app.json: `stack` is heroku-24, a stack of Heroku's, and was left out."
    ]


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ([], "the document"),
        ({"env": []}, "env "),
        ({"env": {"A": 1}}, "env.A "),
        ({"env": {"A": {"value": 1}}}, "env.A.value"),
        ({"env": {"A": {"generator": "uuid"}}}, "env.A.generator"),
        ({"env": {"PORT": "1"}}, "env.PORT"),
        ({"env": {"HYTHE_X": "1"}}, "env.HYTHE_X"),
        ({"env": {"a b": "1"}}, "env.a b"),
        ({"formation": {"web": 1}}, "formation.web "),
        ({"formation": {"web": {"quantity": "1"}}}, "formation.web.quantity"),
        ({"formation": {"web": {"quantity": -1}}}, "formation.web.quantity"),
        ({"formation": {"w b": {}}}, "formation.w b"),
        ({"healthchecks": {"web": {}}}, "healthchecks.web "),
        ({"healthchecks": {"web": [{"port": 0}]}}, "healthchecks.web[0].port"),
        ({"healthchecks": {"web": [{"path": "up"}]}}, "healthchecks.web[0].path"),
        ({"stack": 12}, "stack "),
        ({"stack": "jessie"}, "stack "),
        ({"healthchecks": {"web": [{"status": "2xx"}]}}, "healthchecks.web[0].status"),
        ({"healthchecks": {"web": [{"type": "odd"}]}}, "healthchecks.web[0].type"),
        ({"formation": {"web": {"settings": {"surge": "x"}}}}, "formation.web.settings"),
        ({"formation": {"web": {"settings": {"odd": 1}}}}, "formation.web.settings"),
    ],
)
def test_a_wrong_type_is_named_by_its_path(document: Any, where: str) -> None:
    with pytest.raises(AppJsonError) as raised:
        AppJson.of(document)
    assert f"app.json: {where}" in raised.value.cause


@pytest.mark.parametrize("text", ["", "{", '{"a": }', "[" * 20_000, '"' + "x" * LARGEST + '"'])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(AppJsonError):
        AppJson.read(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
SECTIONS = st.sampled_from(["env", "formation", "healthchecks", "cron", "name", "x"])


@given(st.dictionaries(SECTIONS, JSON, max_size=4))
def test_any_document_is_read_or_refused(document: dict[str, Any]) -> None:
    try:
        about = AppJson.read(json.dumps(document))
    except HytheError as error:
        assert error.cause.startswith("app.json")
        return
    list(about.warnings())
    about.first_values(())
