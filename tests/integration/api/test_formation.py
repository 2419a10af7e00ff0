import httpx
import pytest
from builders import make_app, make_deployment, make_formation, make_release

from hythe.model import App, Instance, now

from .live_api import ControlPlane

PATH = "/v1/apps/shop/formation"


@pytest.fixture(autouse=True)
def shop(plane: ControlPlane) -> App:
    with plane.database.write() as tx:
        app = make_app(tx)
        processes = {"release": "migrate", "web": "serve", "worker": "work"}
        make_release(tx, plane.vault, plane.settings, app, processes=processes)
        make_formation(tx, app, web=1)
        return app


def quantities(answer: httpx.Response) -> dict[str, int]:
    assert answer.status_code == 200, answer.text
    return {item["process"]: item["quantity"] for item in answer.json()["items"]}


def test_the_formation_holds_all_types_but_the_release_phase(api: httpx.Client) -> None:
    assert quantities(api.get(PATH)) == {"web": 1, "worker": 0}


def test_scaling_wakes_the_loop_and_makes_no_release(
    plane: ControlPlane, api: httpx.Client, shop: App
) -> None:
    bell = plane.database.subscribe()
    answer = api.patch(PATH, json={"quantities": {"web": 3, "worker": 1}})
    assert quantities(answer) == {"web": 3, "worker": 1}
    assert bell.wait(5) == {shop.id}
    assert plane.versions() == [1]
    assert api.get("/v1/apps/shop/deployments").json()["items"] == []


@pytest.mark.parametrize("quantity", [-1, 101, 10**30, -(10**30), "3", 1.5, True, None])
def test_impossible_numbers_are_refused(api: httpx.Client, quantity: object) -> None:
    answer = api.patch(PATH, json={"quantities": {"worker": 1, "web": quantity}})
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid-value"
    assert len(answer.text) < 600
    assert quantities(api.get(PATH)) == {"web": 1, "worker": 0}


@pytest.mark.parametrize("process", ["clock", "release", "", "a b", "x" * 100])
def test_unknown_types_are_refused(api: httpx.Client, process: str) -> None:
    assert api.patch(PATH, json={"quantities": {process: 1}}).status_code == 422


def test_an_app_does_not_outgrow_its_network(api: httpx.Client) -> None:
    answer = api.patch(PATH, json={"quantities": {"web": 100, "worker": 100}})
    assert answer.status_code == 422
    assert quantities(api.get(PATH)) == {"web": 1, "worker": 0}


def test_before_the_first_release_there_is_nothing_to_scale(api: httpx.Client) -> None:
    api.post("/v1/apps", json={"name": "new"})
    assert quantities(api.get("/v1/apps/new/formation")) == {}
    answer = api.patch("/v1/apps/new/formation", json={"quantities": {"web": 1}})
    assert answer.status_code == 422
    assert "deploy" in answer.json()["fix"]


def test_instances_are_shown_with_their_state_and_release(
    plane: ControlPlane, api: httpx.Client, shop: App
) -> None:
    with plane.database.write() as tx:
        release = make_release(tx, plane.vault, plane.settings, shop, version=2)
        deployment = make_deployment(tx, shop, release)
        for index, state in enumerate(("up", "gone", "crashed"), start=1):
            tx.add(
                Instance(
                    app_id=shop.id, deployment_id=deployment.id, process="web", index=index,
                    address=f"10.0.0.{index}", state=state, ready_at=now(),
                )
            )  # fmt: skip
    items = api.get("/v1/apps/shop/instances").json()["items"]
    shown = [(item["name"], item["state"], item["release"]) for item in items]
    assert shown == [("web.1", "up", 2), ("web.3", "crashed", 2)]
    assert items[0]["since"].endswith("Z")


def test_settings_of_a_process_type_are_set_shown_and_unset(api: httpx.Client) -> None:
    def values(answer: httpx.Response) -> dict[str, str]:
        assert answer.status_code == 200, answer.text
        return {one["key"]: one["value"] for one in answer.json()["settings"] if one["value"]}

    path = f"{PATH}/web/settings"
    assert values(api.get(path)) == {}
    wanted = {"surge": "25%", "min-healthy": "2", "drain-timeout": "1m", "strategy": "canary"}
    shown = {**wanted, "drain-timeout": "60s"}
    assert values(api.patch(path, json={"settings": wanted})) == shown
    left = {key: value for key, value in shown.items() if key != "surge"}
    assert values(api.patch(path, json={"settings": {"surge": None}})) == left
    assert api.get(f"{PATH}/nobody/settings").status_code == 404


@pytest.mark.parametrize(
    "wanted", [{"surge": "101%"}, {"odd": "1"}, {"strategy": "x"}, {"boot-timeout": "soon"}]
)
def test_settings_that_cannot_be(api: httpx.Client, wanted: dict[str, str]) -> None:
    answer = api.patch(f"{PATH}/web/settings", json={"settings": wanted})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-value")


def test_only_a_leader_explains(api: httpx.Client) -> None:
    answer = api.get("/v1/apps/shop/explanation")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
