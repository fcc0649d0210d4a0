"""Fuzz for a while: `python -m tests.fuzz --minutes 10`. Ends at the first finding, with the bytes that make it."""

from __future__ import annotations

import argparse
import itertools
import os
import random
import resource
import subprocess
import sys
import time

SUITES = {"tests/fuzz": 150, "tests/loader/test_one_language.py": 20, "tests/loader/test_records.py": 100}
"""What runs in turn, and how many examples of each test at a time: a minute or two each on an idle machine."""
MEMORY_BYTES = 8 * 2**30  # of addresses, far more than any reader needs: a bound against one that grows without end
SUITE_LIMIT_S = 3600  # far more than a suite needs: a bound against a reader that hangs


def main() -> int:
    """Run the suites in turn, each time from another seed, until the time is over; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="start nothing after this time (default: 10)")
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    for done, (suite, examples) in enumerate(itertools.cycle(SUITES.items())):
        if done and time.monotonic() > end:
            print(f"fuzz: {done} runs of {len(SUITES)} suites found nothing", file=sys.stderr)
            break
        seed = random.SystemRandom().randrange(2**32)
        words = [sys.executable, "-m", "pytest", "-q", "-x", f"--hypothesis-seed={seed}", "-p", "no:cacheprovider"]
        environment = {**os.environ, "FUZZ_EXAMPLES": str(examples)}
        result = subprocess.run([*words, "-o", f"timeout={SUITE_LIMIT_S}", suite], env=environment)
        if result.returncode != 0:
            print(
                f"fuzz: expected nothing to break, found what is shown above in {suite} (seed {seed}); correct it and "
                "put the bytes into tests/fuzz/corpus/",
                file=sys.stderr,
            )
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
