"""`python -m minigan` is the same as `minigan`."""

import sys

from .cli import main

sys.exit(main())
