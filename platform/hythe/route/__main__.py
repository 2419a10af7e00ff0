import sys

from hythe.route.main import main

sys.exit(main())
