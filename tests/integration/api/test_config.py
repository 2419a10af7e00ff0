import httpx
import pytest
from builders import make_app, make_deployment, make_release, stored

from .live_api import ControlPlane

PATH = "/v1/apps/shop/config"


@pytest.fixture
def shop(plane: ControlPlane) -> None:
    with plane.database.write() as tx:
        make_app(tx)


@pytest.fixture
def running_shop(plane: ControlPlane) -> None:
    with plane.database.write() as tx:
        app = make_app(tx)
        release = make_release(tx, plane.vault, plane.settings, app)
        app.serving_id = make_deployment(tx, app, release).id


@pytest.mark.usefixtures("shop")
def test_config_is_set_unset_and_shown(api: httpx.Client) -> None:
    answer = api.patch(PATH, json={"vars": {"A": "1", "B": ""}})
    assert answer.json() == {"vars": {"A": "1", "B": ""}, "build_keys": [], "deployment": None}
    assert api.patch(PATH, json={"vars": {"A": None}}).json()["vars"] == {"B": ""}
    assert api.get(PATH).json() == {"vars": {"B": ""}, "build_keys": []}


@pytest.mark.usefixtures("shop")
def test_builds_see_only_the_keys_that_they_are_given(api: httpx.Client) -> None:
    api.patch(PATH, json={"vars": {"A": "1"}})
    api.patch(PATH, json={"vars": {"B": "1"}, "build": True})
    assert api.get(PATH).json()["build_keys"] == ["B"]


@pytest.mark.usefixtures("running_shop")
def test_a_change_of_a_running_app_is_a_new_release(plane: ControlPlane, api: httpx.Client) -> None:
    bell = plane.database.subscribe()
    deployment = api.patch(PATH, json={"vars": {"A": "1"}}).json()["deployment"]
    assert (deployment["kind"], deployment["status"]) == ("config", "built")
    assert deployment["release"] == 2
    assert bell.wait(5)


@pytest.mark.usefixtures("running_shop")
def test_the_same_value_again_is_no_new_release(plane: ControlPlane, api: httpx.Client) -> None:
    api.patch(PATH, json={"vars": {"A": "1"}})
    assert api.patch(PATH, json={"vars": {"A": "1"}}).json()["deployment"] is None
    assert plane.versions() == [1, 2]


@pytest.mark.usefixtures("shop")
def test_values_are_not_readable_in_the_database(plane: ControlPlane, api: httpx.Client) -> None:
    api.patch(PATH, json={"vars": {"SECRET": "correct-horse-battery"}})
    everything = stored(plane.settings, plane.database)
    assert b"SECRET" in everything
    assert b"correct-horse-battery" not in everything


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("key", ["", "1A", "A-B", "A B", "PORT", "HYTHE_X", "É", "A\n", "A" * 300])
def test_bad_keys_are_refused(api: httpx.Client, key: str) -> None:
    assert api.patch(PATH, json={"vars": {"OK": "1", key: "1"}}).status_code == 422
    assert api.get(PATH).json()["vars"] == {}


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"vars": {}},
        {"vars": {"A": 1}},
        {"vars": {"A": "\0"}},
        {"vars": ["A"]},
        {"vars": {"A": "1"}, "build": "yes"},
        {"vars": {"A": None}, "build": True},
        {"vars": {"A": "1"}, "colour": "blue"},
        {"vars": {"A": "x" * 65_537}},
        {"vars": {f"K{number}": "x" * 6000 for number in range(12)}},
    ],
)
def test_bad_changes_are_refused_as_a_whole(api: httpx.Client, body: object) -> None:
    answer = api.patch(PATH, json=body)
    assert answer.status_code == 422
    assert "xxx" not in answer.text
    assert api.get(PATH).json()["vars"] == {}


@pytest.mark.usefixtures("shop")
def test_unsetting_an_unknown_key_is_refused(api: httpx.Client) -> None:
    assert api.patch(PATH, json={"vars": {"A": None}}).status_code == 404
