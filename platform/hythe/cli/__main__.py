"""python -m hythe.cli"""

import sys

from hythe.cli.main import main

sys.exit(main())
