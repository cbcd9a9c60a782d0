"""`python -m serving.standin`."""

import sys

from serving.standin.server import main

sys.exit(main())
