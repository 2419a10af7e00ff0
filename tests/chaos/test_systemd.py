"""A machine under systemd: a container whose PID 1 it is, with the services that Hythe installs.

The router and the control plane are real; the engine is the host's, through its socket.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.installation import until

pytestmark = [pytest.mark.chaos, pytest.mark.docker]

ROOT = Path(__file__).parents[2]
IMAGE = "hythe-test/systemd:2"
PACKAGES = (
    "systemd,systemd-sysv,dbus,python3,python3-venv,iproute2,iptables,git,procps,mmdebstrap"
    ",ca-certificates,debian-archive-keyring"
)
HOME = "/srv/hythe"
PYTHON = (ROOT / ".venv" / "bin" / "python").resolve().parent  # the one of the environment
ASK = """
import json, socket, sys, time
until, seen = time.monotonic() + float(sys.argv[1]), {}
slowest = 0.0
while time.monotonic() < until:
    began = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", 8080), 20) as wire:
            wire.sendall(b"GET / HTTP/1.1\\r\\nHost: nobody\\r\\nConnection: close\\r\\n\\r\\n")
            said = wire.recv(4096).split()[1:2] or [b"nothing"]
        key = said[0].decode()
    except OSError as error:
        key = type(error).__name__
    slowest = max(slowest, time.monotonic() - began)
    seen[key] = seen.get(key, 0) + 1
    time.sleep(0.002)
print(json.dumps({"seen": seen, "slowest": slowest}))
"""


class Machine:
    def __init__(self, container: str) -> None:
        self.container = container

    def command(self, *words: str) -> list[str]:
        variables = ["-e", f"HYTHE_HOME={HOME}", "-e", "DOCKER_HOST=unix:///srv/docker.sock"]
        variables += ["-e", "PYTHONDONTWRITEBYTECODE=1", "-e", "CI=true"]
        variables += ["-e", f"PATH={PYTHON}:/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin"]
        return ["docker", "exec", *variables, self.container, *words]

    def run(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            self.command(*words), capture_output=True, text=True, timeout=120, check=False
        )
        assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def hythe(self, *words: str) -> str:
        return self.run(str(ROOT / "bin" / "hythe"), *words)

    def asks(self, seconds: float) -> subprocess.Popen[str]:
        command = self.command("python3", "-c", ASK, str(seconds))
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def answers(self) -> bool:
        asking = self.asks(0.01)
        return '"404"' in asking.communicate(timeout=30)[0]

    def children(self, unit: str) -> set[str]:
        pid = self.property(unit, "MainPID")
        return set(self.run("cat", f"/proc/{pid}/task/{pid}/children").split())

    def property(self, unit: str, name: str) -> str:
        return self.run("systemctl", "show", unit, "-P", name).strip()


def pids(machine: Machine) -> dict[str, str]:
    units = ("hythe", "hythe-router", "hythe-collector")
    return {unit: machine.property(unit, "MainPID") for unit in units}


def image() -> str:
    if subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True).returncode:
        make = f"mmdebstrap --variant=minbase --include={PACKAGES} bookworm | docker import - "
        subprocess.run(make + IMAGE, shell=True, check=True, capture_output=True, timeout=600)
    return IMAGE


@pytest.fixture(scope="module")
def machine(docker_label: dict[str, str]) -> Iterator[Machine]:
    """Booted, with this checkout and its Python at their own paths."""
    own = PYTHON.parent
    paths = {str(ROOT)} | ({str(own)} if own != Path("/usr") else set())
    command = ["docker", "run", "-d", "-e", "container=docker"]
    command += [f"--label={key}={value}" for key, value in docker_label.items()]
    command += [f"--volume={path}:{path}:ro" for path in paths]
    command += ["--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw"]
    command += ["--volume=/var/run/docker.sock:/srv/docker.sock"]
    command += [f"--tmpfs={path}" for path in ("/run", "/run/lock", "/tmp")]
    command += [f"--cap-add={cap}" for cap in ("SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE")]
    command += ["--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined"]
    started = subprocess.run([*command, image(), "/sbin/init"], capture_output=True, text=True)
    if started.returncode != 0:
        pytest.skip(f"no systemd in a container here: {started.stderr.strip()[-200:]}")
    machine = Machine(started.stdout.strip())
    until(lambda: "running" in machine.run("systemctl", "is-system-running", check=False), 60)
    machine.hythe("service:install", "--yes")
    yield machine
    subprocess.run(["docker", "rm", "-f", "-v", machine.container], capture_output=True)


def test_installed_services_run_and_a_second_install_changes_nothing(machine: Machine) -> None:
    until(machine.answers)
    before = machine.property("hythe-router", "MainPID"), machine.property("hythe", "MainPID")
    assert "0" not in before
    files = machine.run("sh", "-c", f"cat {HOME}/hythe.env /etc/sysctl.d/60-hythe.conf")
    machine.hythe("service:install", "--yes")
    assert files == machine.run("sh", "-c", f"cat {HOME}/hythe.env /etc/sysctl.d/60-hythe.conf")
    assert before == (
        machine.property("hythe-router", "MainPID"),
        machine.property("hythe", "MainPID"),
    )
    remembered = machine.run("cat", f"{HOME}/run/router.pid").split()[0]
    assert remembered == before[0]
    said = machine.run("journalctl", "--namespace", "hythe", "-u", "hythe", "--no-pager")
    assert "control plane ready" in said


def test_a_killed_master_refuses_no_connection(
    machine: Machine, record_property: Callable[[str, object], None]
) -> None:
    until(machine.answers)
    assert machine.property("hythe-router", "NFileDescriptorStore") == "4"  # two workers, with TLS
    asking = machine.asks(12)
    for _ in range(3):
        time.sleep(1.5)
        until(machine.answers)  # one of them after the other, on a busy machine too
        pid = machine.property("hythe-router", "MainPID")
        machine.run("kill", "-9", pid)
        until(lambda pid=pid: machine.property("hythe-router", "MainPID") not in ("0", pid))
    result = json.loads(asking.communicate(timeout=60)[0])
    record_property("answers", result["seen"])
    record_property("slowest", f"{result['slowest']:.2f} s")
    assert set(result["seen"]) == {"404"}


def test_a_restart_of_the_router_refuses_no_connection(machine: Machine) -> None:
    until(machine.answers)
    asking = machine.asks(5)
    time.sleep(1)
    machine.run("systemctl", "restart", "hythe-router")
    assert set(json.loads(asking.communicate(timeout=60)[0])["seen"]) == {"404"}


@pytest.mark.parametrize("unit", ["hythe", "hythe-collector"])
def test_a_killed_program_is_started_again(machine: Machine, unit: str) -> None:
    pid = machine.property(unit, "MainPID")
    machine.run("kill", "-9", pid)
    until(lambda: machine.property(unit, "MainPID") not in ("0", pid))


def test_a_boot_brings_all_back(
    machine: Machine, record_property: Callable[[str, object], None]
) -> None:
    began = time.monotonic()
    subprocess.run(["docker", "kill", machine.container], check=True, timeout=30)  # a power cut
    subprocess.run(["docker", "start", machine.container], check=True, timeout=30)
    until(machine.answers, 60)
    record_property("from the power cut to the first answer", f"{time.monotonic() - began:.1f} s")
    for unit in ("hythe", "hythe-collector"):
        until(lambda unit=unit: machine.property(unit, "ActiveState") == "active")


def test_down_and_up_and_restart_go_through_systemd(machine: Machine) -> None:
    until(machine.answers)
    machine.run(str(ROOT / "bin" / "down"))
    assert not machine.answers()
    assert machine.property("hythe", "ActiveState") == "inactive"
    machine.run(str(ROOT / "bin" / "up"), "--detach", "--yes", "--no-example")
    assert machine.answers()
    before, workers = pids(machine), machine.children("hythe-router")
    asking = machine.asks(20)
    machine.run(str(ROOT / "bin" / "up"), "--restart", "--detach", "--yes", "--no-example")
    after = pids(machine)
    for unit in ("hythe", "hythe-collector"):
        assert after[unit] != before[unit]
    assert after["hythe-router"] == before["hythe-router"]  # it became the new program
    until(lambda: not workers & machine.children("hythe-router"))
    assert machine.property("hythe-router", "NFileDescriptorStore") == "4"
    assert set(json.loads(asking.communicate(timeout=60)[0])["seen"]) == {"404"}


def test_uninstall_removes_exactly_what_was_written(machine: Machine) -> None:
    machine.hythe("service:uninstall")
    assert not machine.answers()
    left = machine.run("sh", "-c", f"find /etc {HOME} -name '*hythe*.service' -o -name '60-hythe*'")
    assert left.strip() in ("", f"{HOME}")
    assert "hythe.db" in machine.run("ls", HOME)
    assert "could not be found" in machine.run("sh", "-c", "systemctl status hythe 2>&1 || true")
