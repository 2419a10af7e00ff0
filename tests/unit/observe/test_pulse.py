"""The collector's pulse, and the alarm that ends one that hangs."""

import signal
import subprocess
import sys

HANG = """
import time
from pathlib import Path
from hythe.observe import __main__ as collector
from hythe.observe.pulse import Pulse
collector.HANG_SECONDS = 1
Pulse(Path({home!r}), collector._outlive_no_hang)
time.sleep(60)
"""


def test_a_collector_that_does_not_come_back_is_ended(tmp_path: object) -> None:
    hung = subprocess.run([sys.executable, "-c", HANG.format(home=str(tmp_path))], timeout=50)
    assert hung.returncode == -signal.SIGALRM
