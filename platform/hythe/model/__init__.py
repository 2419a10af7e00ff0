"""What should be, and what happened: all tables of the database."""

from hythe.model.app import App, ConfigVar, Domain, Formation, Routing
from hythe.model.base import Base, now
from hythe.model.certificate import Certificate
from hythe.model.database import Bell, Database, Write
from hythe.model.deployment import ENDED, Build, Deployment, Release, Source
from hythe.model.instance import Instance, Table
from hythe.model.platform import Event, Installation, Token
from hythe.model.vault import Vault

__all__ = [
    "ENDED",
    "App",
    "Base",
    "Bell",
    "Build",
    "Certificate",
    "ConfigVar",
    "Database",
    "Deployment",
    "Domain",
    "Event",
    "Formation",
    "Installation",
    "Instance",
    "Release",
    "Routing",
    "Source",
    "Table",
    "Token",
    "Vault",
    "Write",
    "now",
]
