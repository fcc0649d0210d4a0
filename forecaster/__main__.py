"""Run the forecaster on a file or the warehouse: `python -m forecaster forecast|evaluate|batch --help`."""

from __future__ import annotations

import os
import sys

# The matrices here are small: threads inside one fit only slow it down. Read by numpy when it is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from forecaster.cli import parser, run
from forecaster.series import SeriesError
from warehouse.connection import WarehouseUnavailable
from warehouse.unexpected import guarded


def main() -> int:
    """Parse, run, print; 0 done, 1 failed, 2 misuse."""
    arguments = parser().parse_args()
    try:
        sys.stdout.write(run(arguments))
    except (SeriesError, WarehouseUnavailable) as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main, "forecaster"))
