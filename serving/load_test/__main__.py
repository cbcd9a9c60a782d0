"""`python -m serving.load_test`."""

import sys

from serving.load_test.command import main

sys.exit(main())
