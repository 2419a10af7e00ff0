"""The release phase: runs once before a new release takes traffic; a migration would go here."""

import os
import sys

if os.environ.get("RELEASE_FAILS"):
    sys.exit("RELEASE_FAILS is set, so this release is not to go live")
print(f"preparing {os.environ.get('HYTHE_RELEASE')}", flush=True)
