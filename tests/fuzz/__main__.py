"""Fuzz for a while: `python -m tests.fuzz --minutes 10`. Ends at the first finding, with the bytes that make it."""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import time

SUITES = ("tests/fuzz", "tests/loader/test_one_language.py", "tests/loader/test_records.py")
EXAMPLES = 500  # of each test in a round
MEMORY_BYTES = 8 * 2**30  # of addresses, far more than any reader needs: a bound against one that grows without end
ROUND_LIMIT_S = 3600  # far more than a round needs: a bound against a reader that hangs


def main() -> int:
    """Run rounds, each from another seed, until the time is over; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="start no round after this time (default: 10)")
    options = parser.parse_args()
    end, rounds = time.monotonic() + 60 * options.minutes, 0
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    while True:
        seed = random.SystemRandom().randrange(2**32)
        words = [sys.executable, "-m", "pytest", "-q", "-x", f"--hypothesis-seed={seed}", "-p", "no:cacheprovider"]
        environment = {**os.environ, "FUZZ_EXAMPLES": str(EXAMPLES)}
        result = subprocess.run(
            [*words, "-o", f"timeout={ROUND_LIMIT_S}", *SUITES], env=environment, timeout=2 * ROUND_LIMIT_S
        )
        if result.returncode != 0:
            print(
                f"fuzz: expected nothing to break, found what is shown above (seed {seed}); correct it and put the "
                "bytes into tests/fuzz/corpus/",
                file=sys.stderr,
            )
            return 1
        rounds += 1
        if time.monotonic() > end:
            print(f"fuzz: {rounds} rounds of {EXAMPLES} examples a test found nothing", file=sys.stderr)
            return 0


if __name__ == "__main__":
    sys.exit(main())
