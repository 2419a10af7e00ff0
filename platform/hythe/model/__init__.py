"""What should be, and what happened: all tables of the database."""

from hythe.model.app import (
    App,
    Autoscale,
    ChosenBuildpack,
    ConfigVar,
    DeployKey,
    Domain,
    Drain,
    Formation,
    Routing,
    Sleep,
)
from hythe.model.base import Base, now
from hythe.model.certificate import Certificate
from hythe.model.database import Bell, Database, Write
from hythe.model.deployment import ENDED, Build, Deployment, Release, Source
from hythe.model.ending import fail, supersede
from hythe.model.instance import Instance, Table
from hythe.model.person import SetupCode, User, UserSession
from hythe.model.platform import Event, Installation, Registry, Token
from hythe.model.run import Run
from hythe.vault import Vault

__all__ = [
    "ENDED",
    "App",
    "Autoscale",
    "Base",
    "Bell",
    "Build",
    "Certificate",
    "ChosenBuildpack",
    "ConfigVar",
    "Database",
    "DeployKey",
    "Deployment",
    "Domain",
    "Drain",
    "Event",
    "Formation",
    "Installation",
    "Instance",
    "Registry",
    "Release",
    "Routing",
    "Run",
    "SetupCode",
    "Sleep",
    "Source",
    "Table",
    "Token",
    "User",
    "UserSession",
    "Vault",
    "Write",
    "fail",
    "now",
    "supersede",
]
