"""The command line's view of the API's answers agrees with the API's own document."""

from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from hythe.api.app import endpoints
from hythe.cli import answers

SCHEMAS = endpoints().openapi()["components"]["schemas"]
NAMES = {
    "App": "AppAnswer",
    "AppDetail": "AppDetail",
    "Config": "ConfigAnswer",
    "ConfigChanged": "ConfigChanged",
    "RolledBack": "RolledBack",
    "ReleaseDiff": "ReleaseDiff",
    "Change": "Change",
    "MintedToken": "MintedToken",
    "Account": "Account",
    "SetupLink": "SetupLink",
    "ManifestChange": "ManifestChange",
    "UsedBuildpack": "UsedBuildpack",
    "DiskUse": "DiskUse",
}
SHAPES = [shape for shape in vars(answers).values() if is_typeddict(shape)]


def kinds(schema: dict[str, Any]) -> set[str]:
    """The JSON types that a schema allows."""
    if "anyOf" in schema:
        return set().union(*map(kinds, schema["anyOf"]))
    return {"object"} if "$ref" in schema else {schema["type"]}


def expected(hint: Any) -> set[str]:
    if get_origin(hint) is UnionType:
        return set().union(*map(expected, get_args(hint)))
    plain = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}
    if hint in plain:
        return {plain[hint]}
    return {"array"} if get_origin(hint) is list else {"object"}


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_every_key_is_in_the_document_with_its_type(shape: type) -> None:
    schema = SCHEMAS[NAMES.get(shape.__name__, f"{shape.__name__}Answer")]
    for key, hint in get_type_hints(shape).items():
        assert key in schema["required"], key
        assert kinds(schema["properties"][key]) == expected(hint), key
