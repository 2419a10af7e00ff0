"""What bin/up says when it cannot go on: the cause and the fix, and nothing is half done."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from setup import engine, machine, others, programs
from setup.output import Problem
from setup.place import AMBIENT, CHECKOUT, Place
from setup.process import Process

from hythe.build import operator
from hythe.settings import Settings
from hythe.source.remote import _OPERATOR


def up(**variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(CHECKOUT / "bin" / "up"), "--detach"],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_defaults_are_those_of_the_settings_class() -> None:
    place, settings = Place.of({}), Settings()
    for name in ("bind", "http_port", "https_port", "api_port", "router_workers", "domain"):
        assert getattr(place, name) == getattr(settings, name), name


def test_setting_that_is_not_a_number_is_named(tmp_path: Path) -> None:
    done = up(HYTHE_HOME=str(tmp_path / "home"), HYTHE_HTTP_PORT="eighty")
    assert done.returncode == 1
    assert "HYTHE_HTTP_PORT is 'eighty', which is not a number." in done.stderr
    assert not (tmp_path / "home").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody without sudo")
def test_without_root_and_sudo_it_says_how_to_get_root(tmp_path: Path) -> None:
    script = (
        f"import os, sys; sys.path.insert(0, {str(CHECKOUT / 'bin')!r}); from setup import machine;"
        "os.setgid(65534); os.setuid(65534); os.environ['PATH'] = '/nowhere';"
        "machine.become_root(['up', '--detach'])"
    )
    done = subprocess.run(["python3", "-c", script], capture_output=True, text=True)
    assert "which takes root; there is no sudo here." in done.stderr
    assert "su -c 'bin/up --detach'" in done.stderr


def test_sudo_gets_the_settings_of_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sudo = tmp_path / "sudo"
    sudo.write_text(f'#!/bin/sh\n[ "$1" = -n ] || printf "%s\\n" "$@" > {tmp_path}/given\n')
    sudo.chmod(0o755)
    script = (
        f"import os, sys; sys.path.insert(0, {str(CHECKOUT / 'bin')!r}); from setup import machine;"
        "os.geteuid = lambda: 1000; machine.become_root(['up', '--detach'])"
    )
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HYTHE_HTTP_PORT": "81", "SECRET": "x"}
    environment["PGPASSWORD"] = "pg"
    subprocess.run(["python3", "-c", script], env=environment, check=True)
    given = (tmp_path / "given").read_text().splitlines()
    assert given[0] == "env"
    assert "HYTHE_HTTP_PORT=81" in given
    assert "PGPASSWORD=pg" in given
    assert "SECRET=x" not in given
    assert given[-4:] == ["-m", "setup", "up", "--detach"]


@pytest.mark.parametrize("name", [*operator.INDEX, *operator.PROXY, *operator.CA, *_OPERATOR])
def test_sudo_and_the_services_keep_what_the_operator_set_for_builds(name: str) -> None:
    assert AMBIENT.match(name)


def test_port_in_use_names_the_program_that_holds_it() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Problem) as caught:
            machine.check_port("127.0.0.1", port, "HYTHE_HTTP_PORT")
    assert f"Port {port} on 127.0.0.1 is in use by " in caught.value.cause
    assert f"(pid {os.getpid()})" in caught.value.cause
    assert f"HYTHE_HTTP_PORT={port + 1} bin/up" in caught.value.fix
    machine.check_port("127.0.0.1", port, "HYTHE_HTTP_PORT")


def test_full_disk_says_how_much_is_free(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "FREE_BYTES", 10**18)
    with pytest.raises(Problem, match=r"Only [0-9.]+ GB are free at /"):
        machine.check_disk(place)


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        (
            "W: Failed to fetch deb.example  Temporary failure resolving",
            "could not reach its servers",
        ),
        ("Failed to establish a new connection: [Errno 101]", "could not reach its servers"),
        ("E: Unable to locate package nonsense", "failed"),
    ],
)
def test_missing_network_is_told_apart_from_other_failures(output: str, cause: str) -> None:
    problem = machine.failed("`apt-get update`", output, Path("setup.log"))
    assert cause in problem.cause
    assert output in str(problem)


def test_machine_without_apt_is_told_what_to_install(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "program", lambda name: None)
    with pytest.raises(Problem, match=r"no apt-get .*: .*git iptables"):
        machine.install_packages(place, asking=True)


def test_engine_on_another_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2375")
    with pytest.raises(Problem, match="needs a Docker engine on this machine"):
        engine.answers()


def test_engine_that_cannot_start_shows_the_end_of_its_log(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "dockerd"
    broken.write_text("#!/bin/sh\necho 'failed to start daemon: no cgroups'\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setattr(engine, "SYSTEMD", tmp_path / "absent")
    with pytest.raises(Problem) as caught:
        engine.ensure(place)
    assert "does not start" in caught.value.cause
    assert "no cgroups" in caught.value.details
    assert engine.stop(place) == ""


def test_dependencies_are_not_replaced_under_what_runs(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "ready", lambda: False)
    programs.check_environment(place)
    here = Process.of(os.getpid())
    assert here is not None
    (place.run / "router.pid").write_text(f"{here.pid} {here.started}")
    with pytest.raises(Problem) as caught:
        programs.check_environment(place)
    assert "bin/up --restart --detach" in caught.value.fix


def test_a_control_plane_that_somebody_started_is_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(others, "GRACE_SECONDS", 0.2)
    others.refuse(place, "bin/down")
    lock = place.run / "control.lock"
    holder = subprocess.Popen(["flock", "-s", str(lock), "sh", "-c", "echo; exec sleep 60"],
        stdout=subprocess.PIPE, start_new_session=True)  # fmt: skip
    try:
        assert holder.stdout is not None and holder.stdout.readline()
        with pytest.raises(Problem, match=f"runs on this home \\(process {holder.pid}\\)"):
            others.refuse(place, "bin/down")
    finally:
        os.killpg(holder.pid, signal.SIGKILL)
        holder.wait()
    others.refuse(place, "bin/down")


def test_a_program_s_own_error_is_marked_once() -> None:
    problem = Problem("It failed.", "Mend it.", " !     Cause.\n !     Fix.")
    assert str(problem).splitlines() == [
        " !     Cause.", " !     Fix.", " !", " !     It failed.", " !     Mend it."
    ]  # fmt: skip
