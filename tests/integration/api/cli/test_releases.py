import json

import pytest

from ..live_api import ControlPlane
from .conftest import Hythe

pytestmark = pytest.mark.usefixtures("shop")


def test_releases_are_listed_in_full_where_there_is_no_terminal(hythe: Hythe) -> None:
    lines = hythe("releases").out.splitlines()
    assert lines[0].split() == ["Version", "Description", "By", "When"]
    assert lines[1].startswith("v2")
    assert lines[1].rstrip().endswith("serving")
    assert [item["version"] for item in json.loads(hythe("releases", "--json").out)] == [2, 1]


def test_a_release_is_shown_and_compared(hythe: Hythe) -> None:
    assert hythe("releases:info", "v2").out.startswith("=== Release v2 (serving)\n")
    assert hythe("releases:diff", "v1", "v2").out == "=== v1 -> v2\n- config A\n"
    assert hythe("releases:info", "v9").code == 1
    assert hythe("releases:info", "latest").code == 2


def test_a_rollback_waits_and_says_what_changed(hythe: Hythe, plane: ControlPlane) -> None:
    with plane.carrying_out():
        ran = hythe("rollback", "v1")
    assert ran.out == "Rolling back shop to v1... done, v3\nChanged config vars: A\n"
    assert ran.code == 0


def test_a_rollback_without_a_version_takes_the_one_before(
    hythe: Hythe, plane: ControlPlane
) -> None:
    with plane.carrying_out():
        ran = hythe("rollback", "--json")
    assert json.loads(ran.out)["deployment"]["status"] == "live"
    assert ran.err == "Rolling back shop to v1... done, v3\n"


def test_a_rollback_that_never_gets_healthy_fails_with_cause_and_fix(
    hythe: Hythe, plane: ControlPlane
) -> None:
    with plane.carrying_out(("H10", "web.1 crashed.", "Fix it.")):
        ran = hythe("rollback")
    assert ran.code == 1
    assert ran.out == "Rolling back shop to v1... failed\n"
    assert ran.err == " !    web.1 crashed.\n !    Fix it.\n"


def test_redeploy(hythe: Hythe, plane: ControlPlane) -> None:
    with plane.carrying_out():
        assert hythe("releases:redeploy", "v1").out == "Redeploying shop v1... done, v3\n"


def test_builds_are_listed_and_shown(hythe: Hythe) -> None:
    builds = json.loads(hythe("builds", "--json").out)
    assert len(builds) == 2
    assert "succeeded" in hythe("builds").out
    assert "=== Build" in hythe("builds:info", str(builds[0]["id"])).out


def test_config_is_set_shown_and_unset(hythe: Hythe, plane: ControlPlane) -> None:
    with plane.carrying_out():
        ran = hythe("config:set", "GREETING=good day", "A=1=2")
        assert ran.out == "Setting config vars and restarting shop... done, v3\n"
        assert hythe("config").out == "=== shop Config Vars\nA:        1=2\nGREETING: good day\n"
        assert hythe("config", "--shell").out == "A=1=2\nGREETING='good day'\n"
        assert hythe("config:get", "GREETING").out == "good day\n"
        assert json.loads(hythe("config", "--json").out) == {"A": "1=2", "GREETING": "good day"}
        ran = hythe("config:unset", "A")
        assert ran.out == "Unsetting config vars and restarting shop... done, v4\n"
    assert hythe("config:get", "A").code == 1


def test_config_that_stops_the_app_fails(hythe: Hythe, plane: ControlPlane) -> None:
    with plane.carrying_out(("R10", "It did not answer.", "Bind $PORT.")):
        ran = hythe("config:set", "A=2")
    assert ran.code == 1
    assert ran.err == " !    It did not answer.\n !    Bind $PORT.\n"


def test_config_needs_key_and_value(hythe: Hythe) -> None:
    assert hythe("config:set", "A").code == 2
    assert hythe("config:set").code == 2
    assert hythe("config:set", "PORT=1").code == 1
    assert hythe("config:unset", "NOWHERE").code == 1


def test_config_before_the_first_release_is_only_stored(hythe: Hythe) -> None:
    hythe("apps:create", "new")
    ran = hythe("config:set", "A=1", "-a", "new")
    assert ran.out == "Setting config vars and restarting new... done\n"
