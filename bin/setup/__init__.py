"""Sets up, starts and stops an installation of Hythe: what bin/up, bin/down and bin/test do.

Standard library only, since it runs before anything is installed. Every step looks at the machine
first and does only what is missing, so that a run that was killed half-way is simply run again.
"""

import sys
from pathlib import Path

# For hythe.homefile, which both share; it needs the standard library only as well.
sys.path.append(str(Path(__file__).resolve().parents[2] / "platform"))
