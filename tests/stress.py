"""`python -m tests.stress [-n N] [--seconds S] [PATTERN]`: runs tests repeatedly while two cores are busy.

PATTERN is a test file, a folder, `file::test`, or an expression for `pytest -k`; without one, all tests run. The first
run that fails prints its output and ends the command with exit code 1. With `--seconds`, runs start until the time is
used up.
"""
# ruff: noqa: T201 - a command: prints its results

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
    max_seconds = float("inf") if options.seconds is None else options.seconds
    command = pytest_command(options.pattern)
    started_at, num_green = time.monotonic(), 0
    with busy_cores():
        while num_green < num_runs and (num_green == 0 or time.monotonic() - started_at < max_seconds):
            run = subprocess.run(
                command, check=False, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            if run.returncode:
                print(run.stdout)
                print(f"Failed in run {num_green + 1} with exit code {run.returncode}.")
                return 1
            num_green += 1
            print(f"{num_green}: {run.stdout.strip().splitlines()[-1]}", flush=True)
    print(f"{num_green} runs, all green, in {time.monotonic() - started_at:.0f} s.")
    return 0


def pytest_command(pattern: str | None) -> list[str]:
    """Return the command that runs the matching tests once, with the project's own pytest options."""
    command = [sys.executable, "-m", "pytest", "-x", "--color=no"]
    if pattern is None:
        return command
    is_path = (_ROOT / pattern.partition("::")[0]).exists()
    return [*command, pattern] if is_path else [*command, "-k", pattern]


@contextmanager
def busy_cores() -> Iterator[None]:
    """Keep two cores computing until the block ends."""
    busy = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(_NUM_BUSY_PROCESSES)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
