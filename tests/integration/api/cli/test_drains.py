import json

from hythe.model import App

from ..live_api import ControlPlane
from .conftest import Hythe


def test_drains(hythe: Hythe, plane: ControlPlane, shop: App) -> None:
    assert hythe("drains").out == ""
    added = hythe("drains:add", "https://me:secret@logs.example.com/in").out
    shown = "https://me:***@logs.example.com/in"
    (drain,) = json.loads(hythe("drains", "--json").out)
    assert added == f"Adding a drain to shop... done, drain {drain['id']} sends to {shown}\n"
    assert shown in hythe("drains").out
    assert "starting" in hythe("drains").out
    assert hythe("drains:remove", "7777").code == 2
    removed = hythe("drains:remove", shown)
    assert removed.out == f"Removing drain {drain['id']} from shop... done\n"
    assert hythe("drains:add", "udp://logs.example.com").code == 1
