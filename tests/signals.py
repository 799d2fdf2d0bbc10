"""`python -m tests.signals --times 40`: the real program in a terminal, ended by a signal at a random moment.

SIGTERM, SIGINT or SIGHUP, by turns up to 0.4 s after the start, after the screen has opened and after `q`. Then the
terminal's settings and modes must be as they were, the exit code the signal's, no process left, and no run without a
step. Exit code 1 where one is not so; the same seed gives the same signals and moments.
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

import psutil
import pytest

from tests.cli.program import SMALL_MODEL, ending_signals, kill_processes_in, processes_in, write_tweets
from tests.e2e.journals import last_step, wait_until
from tests.e2e.terminal import Terminal

MOMENTS = ("start", "screen", "q")
INTERPRETER_ENDED = ("Failed to import the site module", "Could not import runpy module")
"""What CPython says, with exit code 1, where SIGINT comes before any code of the program runs (`init_import_site`,
`pymain_run_module`)."""
LATEST_SECONDS = 0.4


def ended_by(number: signal.Signals, moment: str, seconds: float, folder: Path) -> list[str]:
    """Return what is wrong after a program was ended by a signal so many seconds after a moment."""
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
        time.sleep(seconds)
        terminal.send_signal(number)
        code, _ = terminal.wait_for_exit()
        return problems_of(terminal, home, code, codes_of(number, moment))
    except (pytest.fail.Exception, AssertionError) as error:
        return [str(error)]
    finally:
        terminal.close()
        kill_processes_in(home)


def codes_of(number: signal.Signals, moment: str) -> set[int]:
    """Return the exit codes that are right: -number is a death by the signal, before the program has a handler."""
    return {128 + number} | ({-number} if moment == "start" else {0} if moment == "q" else set())


def problems_of(terminal: Terminal, home: Path, code: int, codes: set[int]) -> list[str]:
    """Return what is wrong with what a program has left. Raises `AssertionError` where its processes do not end."""
    problems = []
    is_interpreters = code == 1 and any(words in terminal.text for words in INTERPRETER_ENDED)
    if code not in codes and not is_interpreters:
        problems.append(f"exit code {code}, not one of {sorted(codes)}; on the screen:\n{terminal.text.strip()}")
    if not terminal.is_at_rest:
        problems.append(f"the terminal is not as it was; modes left set: {terminal.modes_left_set}")
    wait_until(
        lambda: all(each.status() == psutil.STATUS_ZOMBIE for each in processes_in(home)), "the end of all processes"
    )
    runs = home / "runs"
    names = [path.name for path in runs.iterdir()] if runs.exists() else []
    return problems + [f"the run {name} has no step" for name in names if not last_step(home, name)]


def main() -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.signals", description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=12, help="signals")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of signals and moments")
    options = parser.parse_args()
    for number in ending_signals():  # whoever runs this may ignore them, and children would as well
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    chance = random.Random(options.seed)  # noqa: S311 - no secrets
    done: Counter[str] = Counter()
    num_bad = 0
    for round_number in range(options.times):
        number, moment = chance.choice(ending_signals()), MOMENTS[round_number % len(MOMENTS)]
        seconds = chance.uniform(0.0, LATEST_SECONDS)
        with tempfile.TemporaryDirectory() as folder:
            problems = ended_by(number, moment, seconds, Path(folder))
        done[moment] += 1
        num_bad += bool(problems)
        for problem in problems:
            print(f"{number.name} {seconds:.3f} s after {moment}: {problem}", flush=True)  # noqa: T201 - what the command is for
    print(f"{dict(done)}: {num_bad} went wrong; --seed {options.seed}")  # noqa: T201 - the same
    return 1 if num_bad else 0


if __name__ == "__main__":
    sys.exit(main())
