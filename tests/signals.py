"""`python -m tests.signals --times 40`: sends the real program, in a terminal, a signal at a random moment.

SIGTERM, SIGINT or SIGHUP, in rotation up to 0.4 s after the start, after the screen has opened and after `q`. Then the
terminal's settings and modes must be restored, the exit code the signal's, no process left, and no run without a
step. Exit code 1 if any check fails; the same seed gives the same signals and moments.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.program import SMALL_MODEL, ending_signals, kill_processes_in, processes_in, write_tweets
from tests.e2e.terminal import Terminal, last_step
from tests.waiting import wait_until

MOMENTS = ("start", "screen", "q")
INTERPRETER_ERRORS = ("state: core initialized", "Failed to import the site module", "Could not import runpy module")
"""Messages of CPython, with exit code 1, if SIGINT arrives before any code of the program runs: while the interpreter
initializes itself (`init_sys_streams` and others), in `init_import_site`, or in `pymain_run_module`."""
MAX_DELAY_SECONDS = 0.4


def problems_after(number: signal.Signals, moment: str, delay_seconds: float, folder: Path) -> list[str]:
    """Run the program, send it a signal that long after a moment, and return what is wrong once it has ended."""
    home = folder / "home"
    tweets = write_tweets(folder / "tweets.txt")
    terminal = Terminal(home, "--data", tweets, *SMALL_MODEL, "--run-name", "watched", "--on-hangup", "stop")
    try:
        if moment == "screen":
            terminal.wait_until(lambda: terminal.has_opened_screen, "never opened")
        elif moment == "q":
            terminal.wait_for("▶ training")
            wait_until(lambda: last_step(home), "a step")
            terminal.press("q")
        time.sleep(delay_seconds)
        terminal.send_signal(number)
        code = terminal.wait_for_exit()
        is_restored = terminal.is_restored
        wait_until(lambda: not processes_in(home), "the end of all processes")
    except (pytest.fail.Exception, AssertionError) as error:
        return [str(error)]
    finally:
        terminal.close()
        kill_processes_in(home)
    problems = []
    if code not in (allowed := allowed_codes(number, moment, terminal.text)):
        problems.append(f"exit code {code}, not one of {allowed}; on the screen:\n{terminal.text.strip()}")
    if not is_restored:
        problems.append(f"the terminal is not restored; modes left set: {terminal.modes_left_set}")
    names = [path.name for path in home.glob("runs/*")]
    return problems + [f"the run {name} has no step" for name in names if not last_step(home, name)]


def allowed_codes(number: signal.Signals, moment: str, screen: str) -> set[int]:
    """Return the exit codes that a signal may have, given the text on the screen at the end.

    At the start no handler may be set yet: the signal kills the program, and SIGINT may interrupt the interpreter's own
    imports.
    """
    is_in_interpreter = number == signal.SIGINT and any(error in screen for error in INTERPRETER_ERRORS)
    others = {"start": {-number, *([1] if is_in_interpreter else [])}, "q": {0}}
    return {128 + number, *others.get(moment, set())}


def main() -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.signals", description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=12, help="signals")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of signals and moments")
    options = parser.parse_args()
    for number in ending_signals():  # a caller that ignores them passes that on to its children
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    chance = random.Random(options.seed)  # noqa: S311 - no secrets
    done: Counter[str] = Counter()
    num_bad = 0
    for round_number in range(options.times):
        number, moment = chance.choice(ending_signals()), MOMENTS[round_number % len(MOMENTS)]
        seconds = chance.uniform(0.0, MAX_DELAY_SECONDS)
        with tempfile.TemporaryDirectory() as folder:
            problems = problems_after(number, moment, seconds, Path(folder))
        done[moment] += 1
        num_bad += bool(problems)
        for problem in problems:
            print(f"{number.name} {seconds:.3f} s after {moment}: {problem}", flush=True)
    print(f"{dict(done)}: {num_bad} went wrong; --seed {options.seed}")
    return 1 if num_bad else 0


if __name__ == "__main__":
    sys.exit(main())
