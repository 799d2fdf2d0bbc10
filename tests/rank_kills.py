"""Kills each rank of a run with several processes in turn, and compares the losses with those of a run left alone.

    python -m tests.rank_kills --data FILE --steps 300

Both runs have dropout, so the random generators of all ranks have to come back, too.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from engine.protocol.events import CheckpointSaved, Event, RunStarted, StepsFinished
from engine.storage.journal_reader import read_journal

MAX_SECONDS = 600.0
_POLL_SECONDS = 0.1
_STEPS_TO_REPEAT = 5


def command(name: str, steps: int, data: str | None, num_ranks: int) -> list[str]:
    """Return the command line of a run."""
    options = ["--nproc-per-node", num_ranks, "--device", "cpu", "--threads", 1, "--max-steps", steps, "--seed", 1]
    options += ["--hidden-size", 64, "--dropout", 0.1, "--autosave-seconds", 1, "--run-name", name, "--json"]
    return [sys.executable, "-m", "tui", "train", *map(str, options), *(["--data", data] if data else [])]


def losses(events: list[Event]) -> dict[int, float]:
    """Return the loss of each step; that of a step that was repeated is the last one."""
    return {
        step: loss
        for event in events
        if isinstance(event, StepsFinished)
        for step, loss in enumerate(event.train_losses, start=event.first_step)
    }


def kill(parent: int, rank: int) -> None:
    """Kill a rank of a run, which a process has started, with SIGKILL."""
    for process in psutil.Process(parent).children(recursive=True):
        if process.environ().get("RANK") == str(rank):
            process.send_signal(signal.SIGKILL)
            return
    raise RuntimeError(f"rank {rank} is not running")


def run_with_kills(folder: Path, line: list[str], ranks: list[int]) -> list[Event]:
    """Run a command line to its end, and kill these ranks; return the run's events.

    Each is killed some steps after a checkpoint of its start, so that these have to be repeated.
    """
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ) as process:
        deadline, num_starts = time.monotonic() + MAX_SECONDS, 0
        while process.poll() is None:
            if time.monotonic() > deadline:
                process.kill()
                raise RuntimeError("the run does not end")
            time.sleep(_POLL_SECONDS)
            events = list(read_journal(folder / "events.jsonl"))
            starts = [number for number, event in enumerate(events) if isinstance(event, RunStarted)]
            saved = [event for event in events[starts[-1] :] if isinstance(event, CheckpointSaved)] if starts else []
            is_past = len(saved) > 1 and events[-1].step >= saved[-1].saved_step + _STEPS_TO_REPEAT
            if ranks and len(starts) > num_starts and is_past:
                num_starts = len(starts)
                kill(process.pid, ranks.pop(0))
        assert process.stderr is not None
        if process.returncode != 0 or ranks:
            raise RuntimeError(f"exit code {process.returncode}, not killed: {ranks}\n{process.stderr.read().decode()}")
    return list(read_journal(folder / "events.jsonl"))


def main() -> None:
    """Run both, and print the outcome."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="a file of tweets; by default the embedded corpus")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--ranks", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["TWEETGEN_HOME"] = home
        runs = Path(home) / "runs"
        lines = {name: command(name, options.steps, options.data, options.ranks) for name in ("alone", "killed")}
        alone = run_with_kills(runs / "alone", lines["alone"], [])
        killed = run_with_kills(runs / "killed", lines["killed"], [*range(options.ranks - 1, -1, -1)])
    num_repeated = sum(len(event.train_losses) for event in killed if isinstance(event, StepsFinished)) - options.steps
    print(f"{options.ranks} ranks killed in turn, {num_repeated} steps repeated")
    if losses(alone) != losses(killed):
        first = min(step for step, loss in losses(alone).items() if losses(killed).get(step) != loss)
        raise SystemExit(f"the losses differ from step {first} on")
    print(f"the losses of all {options.steps} steps are those of the run that was left alone")


if __name__ == "__main__":
    main()
