"""`python -m serving.bulk`."""

import sys

from serving.bulk.command import main

sys.exit(main())
