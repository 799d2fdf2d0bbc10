"""Kills each rank of a run with several processes in turn, and compares the losses with those of a run left alone.

    python -m tests.rank_kills --data FILE --steps 300

Both runs have dropout, so the random generators of all ranks have to come back, too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

from engine.protocol.events import CheckpointSaved, Event, RunStarted, StepsFinished
from tests.cli.program import read_processes
from tests.e2e.terminal import events_of
from tests.engine.helpers import losses
from tests.waiting import wait_until

MAX_SECONDS = 600.0
_STEPS_TO_REPEAT = 5


def rank_in(home: Path, rank: int) -> psutil.Process:
    """Return one of the processes that train."""
    found = read_processes(home, psutil.Process.environ)
    return next(process for process, environment in found if environment.get("RANK") == str(rank))


def kill_after_a_save(home: Path, run: str, rank: int, session: int) -> None:
    """Kill a rank some steps after a checkpoint of a session, counted from 1, so that these have to be repeated."""

    def is_past_a_save() -> bool:
        events = events_of(home, run)
        starts = [number for number, event in enumerate(events) if isinstance(event, RunStarted)]
        saved = [event for event in events[starts[-1] :] if isinstance(event, CheckpointSaved)] if starts else []
        is_far = len(saved) > 1 and events[-1].step >= saved[-1].weights_step + _STEPS_TO_REPEAT
        return len(starts) == session and is_far

    wait_until(is_past_a_save, "steps after a save")
    rank_in(home, rank).kill()


def run(home: Path, name: str, options: argparse.Namespace, ranks: list[int]) -> list[Event]:
    """Run to the end, and kill these ranks, one after the other; return the events."""
    line = ["--nproc-per-node", options.ranks, "--device", "cpu", "--threads", 1, "--max-steps", options.steps]
    line += ["--seed", 1, "--hidden-size", 64, "--dropout", 0.1, "--autosave-seconds", 1, "--run-name", name]
    line += ["--data", options.data] if options.data else []
    command = [sys.executable, "-m", "tui", "train", *map(str, line)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            for session, rank in enumerate(ranks, start=1):
                kill_after_a_save(home, name, rank, session)
            _, written = process.communicate(timeout=MAX_SECONDS)
        except BaseException:
            process.terminate()  # the run ends with it; if only `train` were killed, the run would go on
            raise
    if process.returncode != 0:
        raise SystemExit(written)
    return events_of(home, name)


def main() -> None:
    """Run both, and print the outcome."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--data", help="a file of tweets; by default the embedded corpus")
    parser.add_argument("--steps", type=int, default=300, help="the length of both runs; default: %(default)s")
    parser.add_argument("--ranks", type=int, default=2, help="how many processes train; default: %(default)s")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["TWEETGEN_HOME"] = home
        alone = losses(run(Path(home), "alone", options, []))
        events = run(Path(home), "killed", options, [*range(options.ranks - 1, -1, -1)])
    killed = losses(events)
    num_repeated = sum(len(event.train_losses) for event in events if isinstance(event, StepsFinished)) - options.steps
    print(f"{options.ranks} ranks killed in turn, {num_repeated} steps repeated")
    if alone != killed:
        first = min(step for step, loss in alone.items() if killed.get(step) != loss)
        raise SystemExit(f"the losses differ from step {first} on")
    print(f"the losses of all {options.steps} steps are those of the run that was left alone")


if __name__ == "__main__":
    main()
