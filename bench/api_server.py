"""The control plane's API alone, on a filled database: python -m bench.api_server (HYTHE_*).

The stages are left out: they would start a thousand containers for the rows that they find.
"""

import uvicorn

from hythe.api.app import create_app
from hythe.api.context import Context
from hythe.engine import docker
from hythe.model import Database, Vault
from hythe.names import Names
from hythe.observe.reader import LogReader
from hythe.release.changes import ReleaseChanges
from hythe.settings import Settings
from hythe.source.stage import SourceStage


def main() -> None:
    settings = Settings.read()
    database = Database(settings.database)
    vault = Vault.open(settings.key_file)
    context = Context(
        settings=settings,
        database=database,
        vault=vault,
        names=Names(database.installation().id),
        source=SourceStage(settings, database, vault),
        changes=ReleaseChanges(settings, vault),
        logs=LogReader(settings),
        engine=docker.connect(),
    )
    uvicorn.run(
        create_app(context),
        host="127.0.0.1",
        port=settings.api_port,
        loop="asyncio",
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
    )


if __name__ == "__main__":
    main()
