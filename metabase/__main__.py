"""`python -m metabase`; see its --help."""

import sys

from metabase.cli import main
from warehouse.unexpected import guarded

sys.exit(guarded(main, "metabase"))
