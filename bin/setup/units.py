"""What systemd is told: units, limits and settings, as text.

Three services: the control plane, the router and the log collector. None needs another to start,
so the router serves from its snapshot while the control plane is still on its way.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from hythe import homefile

from .place import CHECKOUT, Place
from .process import ADMIN_PATH
from .programs import programs

MARK = "# HYTHE_HOME="
BEFORE = "# before: "
FOLDER = "systemd/system"
CONTROL = "hythe.service"
ROUTER = "hythe-router.service"
COLLECTOR = "hythe-collector.service"
NAMES = (ROUTER, CONTROL, COLLECTOR)
UNITS = {"control-plane": CONTROL, "router": ROUTER, "collector": COLLECTOR}  # by program
SYSCTL = "sysctl.d/60-hythe.conf"
JOURNAL = "systemd/journald@hythe.conf"
JOURNAL_SIZE = "200M"
KERNEL = {
    "net.core.somaxconn": "4096",  # the router's backlog
    "net.ipv4.tcp_migrate_req": "1",  # a worker that ends leaves what it queued to the others
}
# Process ids, as bin/up knows them: see process.py.
_REMEMBER = (
    """/bin/sh -c 'cut -d" " -f1,22 /proc/$MAINPID/stat >"$$0.new" && mv "$$0.new" "$$0"' """
)

_UNIT = """\
{mark}{home}
[Unit]
Description={description}
Documentation=file:{checkout}/docs/how-to/server.md
After=network.target docker.service
{needs}StartLimitIntervalSec=0

[Service]
{service}EnvironmentFile={settings}
Environment={environment}
ExecStart={command}
ExecStartPost={remember}{pid_file}
Restart=always
WorkingDirectory=/
LogNamespace=hythe
NoNewPrivileges=yes

[Install]
WantedBy=multi-user.target
"""


def files(place: Place, etc: Path) -> dict[Path, str]:
    """Every file that belongs to the services, with its text."""
    control, router, collector = programs(place)
    return {
        etc / FOLDER / CONTROL: _unit(
            place,
            "Hythe control plane",
            control.command,
            place.run / "control-plane.pid",
            service=(
                "Type=exec\n"
                f"ExecStartPre={_quoted(control.command[0])} -m hythe.serve init\n"
                "RestartSec=1\n"
                "KillMode=mixed\n"
                f"TimeoutStopSec={control.stop_seconds:.0f}\n"
                "LimitNOFILE=65536\n"
            ),
            needs="Wants=docker.service\n",
        ),
        etc / FOLDER / ROUTER: _unit(
            place,
            "Hythe router",
            router.command,
            place.run / "router.pid",
            service=(
                "Type=notify\n"
                "NotifyAccess=main\n"
                f"FileDescriptorStoreMax={4 * place.router_workers}\n"
                "RestartSec=100ms\n"
                # Workers of a killed master finish what is open; they listen no more.
                "KillMode=process\n"
                f"TimeoutStopSec={router.stop_seconds:.0f}\n"
                "LimitNOFILE=1048576\n"
                "ProtectSystem=strict\n"
                f"ReadWritePaths={_quoted(str(place.home))}\n"
                "ProtectKernelTunables=yes\n"
                "CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_DAC_OVERRIDE CAP_KILL"
                " CAP_SETUID CAP_SETGID\n"  # its workers become an unprivileged user
            ),
            needs="",
        ),
        etc / FOLDER / COLLECTOR: _unit(
            place,
            "Hythe log collector",
            collector.command,
            place.run / "collector.pid",
            service=(
                "Type=exec\n"
                "RestartSec=100ms\n"
                f"TimeoutStopSec={collector.stop_seconds:.0f}\n"
                "LimitNOFILE=65536\n"
                "ProtectSystem=strict\n"
                f"ReadWritePaths={_quoted(str(place.home))}\n"
                "ProtectKernelTunables=yes\n"
                # The engine's log files belong to another user where it maps users.
                "CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH\n"
            ),
            needs="",
        ),
        etc / SYSCTL: kernel({}),
        etc / JOURNAL: (
            "# Written by `hythe service:install`.\n"
            f"[Journal]\nSystemMaxUse={JOURNAL_SIZE}\nRuntimeMaxUse={JOURNAL_SIZE}\n"
        ),
    }


def kernel(before: Mapping[str, str]) -> str:
    """The kernel values, none lower than it was before; and what they were, for the way back."""
    lines = ["# Written by `hythe service:install`."]
    for key, value in KERNEL.items():
        there = before.get(key, "")
        lines.append(f"{key}={max(int(value), int(there) if there.isdigit() else 0)}")
    lines += [f"{BEFORE}{key}={value}" for key, value in before.items() if value]
    return "\n".join(lines) + "\n"


def _unit(
    place: Place,
    description: str,
    command: tuple[str, ...],
    pid_file: Path,
    *,
    service: str,
    needs: str,
) -> str:
    environment = {
        "HYTHE_HOME": str(place.home),
        "MALLOC_ARENA_MAX": "2",
        "PATH": f"{os.environ.get('PATH', os.defpath)}:{ADMIN_PATH}",
    }
    return _UNIT.format(
        mark=MARK,
        home=place.home,
        description=description,
        checkout=str(CHECKOUT).replace("%", "%%"),
        needs=needs,
        service=service,
        settings=str(place.home / homefile.NAME).replace("%", "%%"),
        environment=" ".join(_assigned(name, value) for name, value in environment.items()),
        command=" ".join(_quoted(word) for word in command),
        remember=_REMEMBER,
        pid_file=_quoted(str(pid_file)),
    )


def _quoted(word: str) -> str:
    """A word of a command line, as systemd.service(5) reads it."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if escaped != word or " " in word else word


def _assigned(name: str, value: str) -> str:
    """A variable, as Environment of systemd.exec(5) reads it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{name}={escaped}"'
