"""`python -m minigan` is the same as `minigan`."""

import sys

from .lab.cli import main

sys.exit(main())
