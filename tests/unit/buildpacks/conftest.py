"""The Python buildpack's own modules; the build image imports them the same way."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "buildpacks" / "python" / "lib"))
