"""bin/up: install what is missing, start what does not run, say where everything is."""

import argparse
import os
import signal
import subprocess
import time
from pathlib import Path

from . import (
    account,
    boot,
    dashboard,
    engine,
    environment,
    example,
    liverestore,
    machine,
    renewal,
    service,
    supervisor,
)
from .down import stop
from .output import Problem, detail, say, step
from .place import CHECKOUT, Place
from .process import Process
from .programs import Program, check_environment, prepare, programs


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    for name in ("tls_cert", "tls_key"):
        if path := getattr(options, name):
            os.environ[f"HYTHE_{name.upper()}"] = str(Path(path).absolute())
    place = machine.here(["up", *arguments])
    started = time.monotonic()
    runs = any(program.process(place) for program in programs(place))
    if runs and not options.restart:
        place.check_unchanged()
    if not options.restart:
        check_environment(place)
    if not options.restart and _is_up(place, options.example):
        if not dashboard.ready():
            machine.become_root(["up", *arguments])
            _build_dashboard(place)
        say("=====> Hythe runs already")
        _summary(place)
        return 0
    machine.become_root(["up", *arguments])
    place.make()
    with place.locked():
        if options.restart:
            stop_control_plane(place)
        keeper = bring_up(
            place, asking=not options.yes, with_example=options.example, restart=options.restart
        )
    say(f"=====> Hythe is ready after {time.monotonic() - started:.1f} s")
    _summary(place)
    return 0 if options.detach or keeper is None else _stay(place, keeper)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bin/up",
        description="Start Hythe on this machine, after installing what is missing. Without "
        "--detach it stays in the foreground, and Ctrl-C stops everything again.",
        epilog="Settings are HYTHE_* variables, see docs/reference/settings.md; the file"
        " HYTHE_HOME/hythe.env keeps them for the next start.",
    )
    parser.add_argument("--yes", action="store_true", help="install Debian packages without asking")
    parser.add_argument("--detach", action="store_true", help="return when everything is ready")
    parser.add_argument(
        "--restart",
        action="store_true",
        help="restart Hythe's own programs with this code and these settings; apps run on",
    )
    parser.add_argument(
        "--no-example", dest="example", action="store_false", help="do not deploy examples/hello"
    )
    parser.add_argument(
        "--tls-cert",
        metavar="FILE",
        help="certificate for other machines (HYTHE_BIND), in PEM format; without it Hythe signs"
        " one itself",
    )
    parser.add_argument("--tls-key", metavar="FILE", help="its private key")
    return parser


def _is_up(place: Place, with_example: bool) -> bool:
    return (
        environment.ready()
        and (service.installed(place) or supervisor.running(place) is not None)
        and engine.answers()
        and all(program.process(place) and program.answers() for program in programs(place))
        and (example.deployed(place) or not with_example)
    )


def stop_control_plane(place: Place) -> None:
    """Before its environment and its database change under it; the router goes on."""
    supervisor.stop(place)
    if service.installed(place):
        service.stop(service.units.CONTROL)
    programs(place)[0].stop(place)


def bring_up(
    place: Place, *, asking: bool, with_example: bool, restart: bool = False
) -> Process | None:
    """Do all that is missing, and return the supervisor; None where systemd does its work."""
    machine.check_disk(place, CHECKOUT)
    asking = asking and not os.environ.get("CI")
    if "docker.io" in machine.install_packages(place, asking):
        liverestore.offer(asking)
    environment.ensure()
    _build_dashboard(place)
    with step("Starting the Docker engine"):
        engine.ensure(place)
    liverestore.hint()
    supervisor.stop(place)  # or it might start a program at the same moment
    _check_ports(place)
    with step("Preparing the database"):
        prepare(place)
    base_images(place)
    place.remember()
    keeper = None
    if service.installed(place):
        with step("Starting Hythe's services"):
            service.start(place, restart=restart)
    else:
        for program in programs(place):
            if restart and not _renewed(program, place):
                program.stop(place)
            with step(f"Starting the {program.name.replace('-', ' ')}"):
                program.await_ready(place, program.start(place))
        keeper = supervisor.start(place)
    boot.await_apps(place)
    if with_example and not example.deployed(place):
        example.deploy(place)
    return keeper


def _renewed(program: Program, place: Place) -> bool:
    """Whether it has taken up the new code while it runs; only the router can."""
    if program.name != "router":
        return False
    with step("Giving the router the new code"):
        return renewal.renew(program, place, str(program.log(place)))


def _build_dashboard(place: Place) -> None:
    """A dashboard that cannot be built is no reason to keep apps from running."""
    try:
        dashboard.build(place)
    except Problem as problem:
        say(str(problem))
        detail("The API and the command line work without the dashboard; bin/up tries it again.")


def _check_ports(place: Place) -> None:
    control, router, _ = programs(place)
    if not control.process(place):
        machine.check_port("127.0.0.1", place.api_port, "HYTHE_API_PORT")
    if not router.process(place):
        machine.check_port(place.bind, place.http_port, "HYTHE_HTTP_PORT")
        if place.https_port:
            machine.check_port(place.bind, place.https_port, "HYTHE_HTTPS_PORT")
        if place.metrics_port:
            machine.check_port("127.0.0.1", place.metrics_port, "HYTHE_METRICS_PORT")


def base_images(place: Place) -> None:
    """Make or pull the images that builds start from; shows their own progress lines."""
    ensure = subprocess.Popen(
        [str(environment.PYTHON), "-m", "hythe.build", "ensure-stack"],
        env=place.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert ensure.stdout is not None
    for line in ensure.stdout:
        say(line.rstrip())
    if ensure.wait() != 0:
        raise Problem(
            "The base images could not be made.",
            "They come from a registry, or from Debian's package servers.\n"
            "Correct what it says above, and run it again.",
        )


def _summary(place: Place) -> None:
    hythe = _shortest(CHECKOUT / "bin" / "hythe")
    say()
    if example.deployed(place):
        detail(f"App   {place.app_url(example.NAME)}")
    web = place.control_url if place.public else place.api_url
    link = account.setup_url(place)
    if link:
        detail(f"Web   {link.replace(place.api_url, web)}")
        detail("      (opens once, and makes your user; `hythe setup:link` makes another link)")
    else:
        detail(f"Web   {web}")
    detail(f"API   {place.api_url}  (token: {_shortest(place.credentials)})")
    detail(f"Logs  {_shortest(place.logs)}")
    if place.public:
        _say_what_is_open(place)
    say()
    detail("Next, in the folder of an app of yours:")
    say(f"  {hythe} apps:create myapp")
    say(f"  {hythe} git:remote -a myapp")
    say("  git push hythe main")


def _say_what_is_open(place: Place) -> None:
    """A firewall of the host may still be in between; Hythe opens no port in it."""
    address = place.bind or "0.0.0.0"
    say()
    detail(f"Other machines reach these ports at {address}:")
    detail(f"  {place.http_port}  apps, over HTTP")
    if place.https_port:
        detail(f"  {place.https_port}  apps, over HTTPS")
    detail(f"  {place.api_port}  the control plane, over TLS only")
    try:
        pin = f" --fingerprint {place.fingerprint}"
    except (OSError, ValueError):
        pin = ""  # only root may read it
    detail("Log in from there:")
    say(f"  hythe login {place.control_url}{pin}")


def _shortest(path: Path) -> str:
    """A path to type, relative where that is shorter."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _stay(place: Place, keeper: Process) -> int:
    """Stay in the foreground until Ctrl-C, then stop everything."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
    say()
    detail("Ctrl-C stops it.")
    try:
        while True:
            keeper.wait()
            following = supervisor.running(place)
            if following is None:  # somebody ran bin/down
                return 0
            keeper = following
    except KeyboardInterrupt:
        say()
    with place.locked():
        stop(place)
    return 0
