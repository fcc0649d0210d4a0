"""`python -m metabase`; see its --help."""

import sys

from metabase.cli import main

sys.exit(main())
