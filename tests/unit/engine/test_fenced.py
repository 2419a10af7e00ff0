"""The fence around an engine knows every call of the ports."""

from hythe.engine.fenced import CHANGES
from hythe.engine.port import Images, Instances, Sessions

LOOKS = {
    Images: {"find", "list", "folder", "layer_sizes", "check_login", "assembles"},
    Instances: {"list", "get", "wait", "logs", "follow", "list_networks", "changes", "ping"},
    Sessions: {"has"},
}


def test_every_call_either_looks_or_changes() -> None:
    for port, looks in LOOKS.items():
        calls = {name for name in vars(port) if not name.startswith("_")}
        assert calls == looks | CHANGES[port]
        assert not looks & CHANGES[port]
