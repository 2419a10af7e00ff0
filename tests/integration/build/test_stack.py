"""The base images: what apps find, and what they do not."""

import subprocess
import sys

import pytest

from hythe.build.stack import images, recipe
from hythe.engine.port import Engine

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("stack")]

LOOK = """\
id -u; id -un; cat /var/lib/dpkg/status | grep -cE '^Package: (gcc|g[+][+]|make|git|cpp)$'
find / -xdev -perm /6000 -type f | wc -l; python3 -c 'import sys; print(*sys.version_info[:2])'
touch /usr/x /etc/x /layers/x 2>&1 | grep -c 'denied'
"""


def test_the_run_image_is_slim_and_apps_in_it_are_nobody_special() -> None:
    command = ["docker", "run", "--rm", "--network=none", recipe().reference("run"), "sh", "-c"]
    done = subprocess.run([*command, LOOK], capture_output=True, text=True)
    user, name, tools, privileged, python, denied = done.stdout.splitlines()
    assert (user, name) == ("1000", "app")
    assert (tools, privileged) == ("0", "0"), "compilers, setuid programs"
    assert python == "3 11"
    assert denied == "2"  # its own folder of layers is the app's


def test_the_images_of_this_version_are_listed_first(engine: Engine) -> None:
    listed = images(engine)
    ours = {recipe().reference("run"), recipe().reference("build")}
    assert {each.reference for each in listed[:2]} == ours
    assert all(each.current and each.size > 0 for each in listed[:2])
    command = [sys.executable, "-m", "hythe.build", "list-stack"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.count("of this version") == 2
