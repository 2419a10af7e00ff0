"""Which instances get requests, and when a table gets a new version."""

import json
from dataclasses import replace

import pytest
from builders import make_app, make_deployment, make_release

from hythe.errors import PlatformError
from hythe.model import App, Certificate, Database, Deployment, Domain, Instance, Vault, Write, now
from hythe.process_settings import CANARY
from hythe.run.desired import BOTH, WAIT
from hythe.run.publish import Publisher
from hythe.settings import Settings
from hythe.wire import Route, RouteTable


@pytest.fixture
def vault(settings: Settings) -> Vault:
    return Vault.open(settings.key_file)


@pytest.fixture
def sent() -> list[RouteTable]:
    return []


@pytest.fixture
def publisher(
    settings: Settings, database: Database, vault: Vault, sent: list[RouteTable]
) -> Publisher:
    return Publisher(settings, database, vault, 9, sent.append)


def make_instance(tx: Write, app: App, deployment_id: int, host: int, **values: object) -> Instance:
    row = Instance(
        app_id=app.id,
        deployment_id=deployment_id,
        index=host,
        address=f"10.0.0.{host}",
        **{"process": "web", "state": "up", **values},
    )
    tx.add(row)
    tx.flush()
    return row


@pytest.fixture
def app(settings: Settings, database: Database, vault: Vault) -> App:
    """An app with v1 serving and v2 rolling, an instance of each."""
    with database.write() as tx:
        app = make_app(tx)
        tx.add(Domain(app_id=app.id, host="shop.example.com"))
        old = make_deployment(tx, app, make_release(tx, vault, settings, app))
        release = make_release(tx, vault, settings, app, version=2)
        new = make_deployment(tx, app, release, "rolling")
        make_instance(tx, app, old.id, 1)
        make_instance(tx, app, new.id, 2)
        app.serving_id = old.id
        return app


def test_only_the_serving_deployment_gets_requests(
    app: App, publisher: Publisher, sent: list[RouteTable]
) -> None:
    publisher.publish()
    route, control = sent[0].routes
    assert route.hosts == ("shop.localhost", "shop.example.com")
    assert control.hosts == ("hythe.localhost",)
    assert (control.targets, control.redirect) == ((), "http://127.0.0.1:7600")
    assert [(t.host, t.release) for t in route.targets] == [("10.0.0.1", "v1")]
    assert sent[0].version == (9, 1)


def test_an_equal_table_is_not_published_again(
    app: App, publisher: Publisher, sent: list[RouteTable]
) -> None:
    publisher.publish()
    publisher.publish()
    assert len(sent) == 1


def test_a_new_control_plane_goes_on_with_the_same_version(
    app: App, publisher: Publisher, settings: Settings, database: Database
) -> None:
    publisher.publish()
    again: list[RouteTable] = []
    Publisher(settings, database, vault, 9, again.append).publish()
    assert [table.version for table in again] == [(9, 1)]


def test_a_draining_instance_learns_the_first_version_without_it(
    app: App, publisher: Publisher, database: Database, sent: list[RouteTable]
) -> None:
    publisher.publish()
    with database.write() as tx:
        row = tx.get_one(Instance, 1)
        row.state = "draining"
    publisher.publish()
    assert sent[-1].routes[0].targets == ()
    with database.read() as session:
        row = session.get_one(Instance, 1)
    assert (row.left_epoch, row.left_sequence) == (9, 2)


def test_an_app_without_targets_says_whether_it_crashed(
    app: App, publisher: Publisher, database: Database, sent: list[RouteTable]
) -> None:
    with database.write() as tx:
        row = tx.get_one(Instance, 1)
        row.state, row.crashes = "crashed", 3
    publisher.publish()
    assert sent[-1].routes[0].error == "H10"
    with database.write() as tx:
        tx.get_one(Instance, 1).state = "gone"
    publisher.publish()
    assert sent[-1].routes[0].error == "H14"


def test_after_a_restored_backup_the_table_overtakes_what_routers_have(
    app: App, publisher: Publisher, database: Database, sent: list[RouteTable]
) -> None:
    database.installation()
    publisher.publish()
    publisher.overtake((9, 40))
    assert sent[-1].version == (10, 1)
    assert database.installation().epoch == 10
    assert sent[-1].routes == sent[0].routes


def test_a_refresh_publishes_what_changed_without_a_deploy(
    app: App, publisher: Publisher, database: Database, sent: list[RouteTable]
) -> None:
    publisher.publish()
    publisher.refresh()
    assert len(sent) == 1
    with database.write() as tx:
        tx.add(Domain(app_id=app.id, host="new.example.com"))
    publisher.refresh()
    assert "new.example.com" in sent[-1].routes[0].hosts


def test_a_table_that_could_not_be_sent_is_sent_the_next_time(
    app: App, publisher: Publisher, database: Database, vault: Vault, sent: list[RouteTable]
) -> None:
    publisher.publish()
    with database.write() as tx:
        certificate = Certificate(
            app_id=app.id,
            fingerprint="1",
            names=["shop.example.com"],
            chain="chain",
            key=b"not sealed",
            expires_at=now(),
        )
        tx.add(certificate)
    with pytest.raises(PlatformError):
        publisher.publish()
    with database.write() as tx:
        tx.get_one(Certificate, certificate.id).key = vault.seal("key")
    publisher.refresh()
    assert [table.version for table in sent] == [(9, 1), (9, 2)]
    assert sent[-1].routes[0].certificates[0].key == "key"


def test_no_app_gets_the_control_planes_name(
    app: App, settings: Settings, database: Database, vault: Vault, sent: list[RouteTable]
) -> None:
    """The domain was free when the app got it; then the operator chose HYTHE_DOMAIN."""
    with database.write() as tx:
        tx.add(Domain(app_id=app.id, host="hythe.example.com"))
    chosen = replace(settings, domain="example.com", bind="0.0.0.0")
    Publisher(chosen, database, vault, 9, sent.append).publish()
    route, control = RouteTable.loads(json.dumps(sent[0].to_json())).routes
    assert "hythe.example.com" not in route.hosts
    assert control.redirect == "https://hythe.example.com:7600"


def test_routers_watch_from_the_first_start_until_the_switch_is_over(
    app: App, publisher: Publisher, database: Database, sent: list[RouteTable]
) -> None:
    def watch() -> str:
        publisher.publish()
        return sent[-1].routes[0].watch

    assert watch() == ""  # nothing was started yet
    with database.write() as tx:
        tx.get_one(Instance, 2).started_at = now()
    assert watch() == "d2"
    with database.write() as tx:
        row = tx.get_one(Deployment, 2)
        row.status, row.switch_requests = "live", 5
        tx.get_one(App, app.id).serving_id = 2
    assert watch() == "d2"  # the instances before it still have requests
    with database.write() as tx:
        tx.get_one(Deployment, 2).switch_ended_at = now()
    assert watch() == ""


@pytest.mark.parametrize(("old", "new", "share"), [(1, 1, 10), (3, 2, 25), (1, 4, 99)])
def test_a_canary_gets_its_share_by_weights(
    app: App, publisher: Publisher, database: Database, sent: list[RouteTable],
    old: int, new: int, share: int,
) -> None:  # fmt: skip
    with database.write() as tx:
        deployment = tx.get_one(Deployment, 2)
        deployment.sharing, deployment.share = CANARY, share
        for host in range(10, 10 + old - 1):
            make_instance(tx, app, 1, host)
        for host in range(20, 20 + new - 1):
            make_instance(tx, app, 2, host)
    publisher.publish()
    targets = sent[-1].routes[0].targets
    tried = sum(target.weight for target in targets if target.release == "v2")
    assert len(targets) == old + new
    assert 100 * tried == share * sum(target.weight for target in targets)
    with database.write() as tx:
        tx.get_one(Deployment, 2).status = "failed"
    publisher.publish()
    assert {target.release for target in sent[-1].routes[0].targets} == {"v1"}
    assert {target.weight for target in sent[-1].routes[0].targets} == {100}


def test_requests_wait_while_the_new_instances_of_all_at_once_boot(
    app: App, publisher: Publisher, database: Database, sent: list[RouteTable]
) -> None:
    def route() -> Route:
        publisher.publish()
        return sent[-1].routes[0]

    with database.write() as tx:
        tx.get_one(Deployment, 2).sharing = WAIT
    assert route().mode == "serve"
    with database.write() as tx:
        tx.get_one(Instance, 1).state = "gone"
    assert (route().mode, route().targets) == ("hold", ())
    with database.write() as tx:
        tx.get_one(Deployment, 2).status = "failed"
        make_instance(tx, app, 1, 3, state="starting")
    assert route().mode == "hold"  # the old ones come back
    with database.write() as tx:
        tx.get_one(Instance, 3).crashes = 1
    assert (route().mode, route().error) == ("serve", "H10")


def test_both_releases_answer_while_one_takes_over_in_batches(
    app: App, publisher: Publisher, database: Database, sent: list[RouteTable]
) -> None:
    with database.write() as tx:
        tx.get_one(Deployment, 2).sharing = BOTH
    publisher.publish()
    assert [target.release for target in sent[-1].routes[0].targets] == ["v1", "v2"]
