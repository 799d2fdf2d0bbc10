"""`python -m tests.stress [-n N] [--seconds S] [PATTERN]`: runs tests repeatedly while two cores are busy.

PATTERN is a test file, a folder, `file::test`, or an expression for `pytest -k`; without one, all tests run. The first
run that fails prints its output and ends the command with exit code 1. With `--seconds`, runs start until the time is
used up.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import time
from pathlib import Path

NUM_RUNS = 20
_NUM_BUSY_PROCESSES = 2
_BUSY = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"
_ROOT = Path(__file__).parents[1]


def main() -> int:
    """Run the tests that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress", description="Run tests repeatedly on busy cores.")
    parser.add_argument("pattern", nargs="?", help="a test file, a folder, file::test, or an expression for pytest -k")
    parser.add_argument("-n", type=int, metavar="N", help=f"number of runs ({NUM_RUNS} without --seconds)")
    parser.add_argument("--seconds", type=float, metavar="S", help="start runs until so many seconds have passed")
    options = parser.parse_args()
    num_runs = options.n or (NUM_RUNS if options.seconds is None else sys.maxsize)
    end = time.monotonic() + (float("inf") if options.seconds is None else options.seconds)
    command = [sys.executable, "-m", "pytest", "-x", "--color=no"]
    if options.pattern is not None:
        is_path = (_ROOT / options.pattern.partition("::")[0]).exists()
        command += [options.pattern] if is_path else ["-k", options.pattern]
    with contextlib.ExitStack() as busy:
        for _ in range(_NUM_BUSY_PROCESSES):
            busy.callback(busy.enter_context(subprocess.Popen([sys.executable, "-c", _BUSY])).kill)
        for number in range(1, num_runs + 1):
            run = subprocess.run(command, check=False, cwd=_ROOT, capture_output=True, text=True)
            if run.returncode:
                print(f"{run.stdout}{run.stderr}\nFailed in run {number} with exit code {run.returncode}.")
                return 1
            print(f"{number}: {run.stdout.strip().splitlines()[-1]}", flush=True)
            if time.monotonic() > end:
                break
    return 0


if __name__ == "__main__":
    sys.exit(main())
