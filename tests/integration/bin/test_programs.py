"""The router's command line, as bin/up and as docker-compose.yml start it: one and the same."""

import subprocess
from pathlib import Path

import pytest
from setup.place import CHECKOUT, Place
from setup.programs import programs

from hythe.route.main import _options
from hythe.route.options import RouterOptions

PYTHON = "/opt/hythe/.venv/bin/python"  # in the image

SETTINGS = {
    "HYTHE_BIND": "0.0.0.0",
    "HYTHE_HTTP_PORT": "81",
    "HYTHE_HTTPS_PORT": "0",
    "HYTHE_ROUTER_WORKERS": "3",
    "HYTHE_ROUTER_USER": "daemon",
    "HYTHE_ROUTER_TRUST": "10.0.0.0/24, 192.0.2.1/32",
    "HYTHE_ROUTER_CERTIFICATE": "/srv/default.pem",
    "HYTHE_ROUTER_LOG": "json",
    "HYTHE_ROUTER_LOG_SAMPLE": "7",
    "HYTHE_METRICS_PORT": "9464",
}


def by_up(environment: dict[str, str]) -> RouterOptions:
    command = programs(Place.of(environment))[1].command
    return _options(list(command[command.index("hythe.route") + 1 :]))


def by_image(environment: dict[str, str], folder: Path) -> RouterOptions:
    """What image/entry hands to its Python, which here only repeats it."""
    python = folder / "python"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    entry = (CHECKOUT / "image" / "entry").read_text()
    assert entry.count(PYTHON) == 1
    script = entry.replace(PYTHON, str(python))
    done = subprocess.run(
        ["/bin/sh", "-c", script, "entry", "router"],
        env={"PATH": "/usr/bin:/bin", **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return _options(done.stdout.splitlines()[2:])


@pytest.mark.parametrize("settings", [{}, SETTINGS], ids=["defaults", "all"])
def test_the_image_starts_the_router_as_bin_up_does(
    settings: dict[str, str], tmp_path: Path
) -> None:
    environment = {"HYTHE_HOME": str(tmp_path), **settings}
    assert by_image(environment, tmp_path) == by_up(environment)


def test_every_router_setting_reaches_it(tmp_path: Path) -> None:
    options = by_up({"HYTHE_HOME": str(tmp_path), **SETTINGS})
    assert (options.host, options.port, options.tls_port) == ("0.0.0.0", 81, None)
    assert (options.workers, options.user, options.metrics_port) == (3, "daemon", 9464)
    assert options.trusted == ("10.0.0.0/24", "192.0.2.1/32")
    assert options.certificate == Path("/srv/default.pem")
    assert (options.log_json, options.log_sample) == (True, 7)


def test_compose_hands_every_router_setting_to_both_services() -> None:
    compose = (CHECKOUT / "docker-compose.yml").read_text()
    assert [name for name in SETTINGS if f"    {name}: ${{{name}" not in compose] == [
        "HYTHE_ROUTER_USER"  # the image has one
    ]
