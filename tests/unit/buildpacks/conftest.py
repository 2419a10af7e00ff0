"""The buildpacks' own modules; the build image imports them the same way."""

import sys
from pathlib import Path

BUILDPACKS = Path(__file__).parents[3] / "buildpacks"
sys.path[:0] = [str(BUILDPACKS / name) for name in ("lib", "python/lib", "node/lib", "static/lib")]
