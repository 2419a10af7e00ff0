"""What the collector is told of apps follows the rows."""

import pytest
from builders import make_app

from hythe.model import App, Database, Domain, now
from hythe.observe.apps import Apps
from hythe.observe.directory import Directory
from hythe.settings import Settings

pytestmark = pytest.mark.one_database("it is about files")


@pytest.fixture
def directory(settings: Settings, database: Database) -> Directory:
    with database.write() as tx:
        make_app(tx, "shop")
        tx.add(Domain(app_id=1, host="shop.example.com"))
        make_app(tx, "blog")
    return Directory(settings, database)


def test_each_app_is_told_with_its_hosts(directory: Directory, settings: Settings) -> None:
    assert Apps.load(settings.home) is None
    directory.refresh()
    hosts = {"shop.localhost": 1, "shop.example.com": 1, "blog.localhost": 2}
    assert Apps.load(settings.home) == Apps(
        settings.log_bytes, 30, frozenset({1, 2}), hosts, (), {"shop": 1, "blog": 2}
    )


def test_a_destroyed_app_has_no_name_and_keeps_its_log_until_it_is_forgotten(
    directory: Directory, settings: Settings, database: Database
) -> None:
    with database.write() as tx:
        tx.get_one(App, 2).destroyed_at = now()
    directory.refresh()
    told = Apps.load(settings.home)
    assert told is not None and told.ids == {1, 2} and "blog.localhost" not in told.hosts
    directory.forget(2)
    told = Apps.load(settings.home)
    assert told is not None and told.ids == {1}


def test_what_cannot_be_told_holds_nobody_up_and_is_told_later(
    directory: Directory, settings: Settings
) -> None:
    in_the_way = settings.home / "collect"
    in_the_way.write_text("not a folder")
    directory.refresh()
    in_the_way.unlink()
    directory.refresh()
    assert Apps.load(settings.home) is not None
