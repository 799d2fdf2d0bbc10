"""Kills headless runs with SIGKILL at random moments, half of them during a save, and resumes them.

    python -m tests.kills --times 200

Each round starts a run, or resumes the one killed before, as `tweetgen-tui train` does; waits for a new step (some are
killed during the start); and kills the process. In half of the rounds this is a random moment after a checkpoint's
temporary file has appeared, and the process is stopped first, to check that the file still exists. A kill counts as
**during a save** only if the process left a temporary file.

Then every file is checked: all checkpoints are whole; the journal is readable to its last line, and has each step up to
`latest` once; and at most the autosave interval, a step with what is due after it and the write of a checkpoint are
lost. The next round checks that `--resume` continues bit for bit: it repeats the lost steps, and each loss must equal
the one in the journal of the killed process. The journal of every second run has buckets of steps after a few steps,
as that of a long run does.

The parent imports everything and forks the runs, so that a round takes about a second, mostly training.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import torch

from engine.checkpoints.checkpoint import load_checkpoint
from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, RuntimeConfig, Setting
from engine.errors import TweetgenError
from engine.protocol import events
from engine.protocol.events import CheckpointSaved, Event, RunStarted, StepsFinished, StepsThinned
from engine.storage import journal
from engine.storage.files import is_locked
from engine.storage.folders import RunFolder, folder_of_run
from engine.storage.journal import read_journal
from tests.cli.program import write_tweets
from tui.cli.headless import run_headless

AUTOSAVE_SECONDS = 1.0
ROUNDS_PER_RUN = 5
FEW_WHOLE_STEPS = 2
"""In place of `WHOLE_STEPS` in every second run."""
START_SECONDS = 60.0
"""Deadline of the first new step, on a busy machine; a run that misses it counts as unusable."""
_MAX_DELAY_SECONDS = 0.6
_EARLY_EVERY, _MAX_EARLY_DELAY_SECONDS = 8, 0.3
_MAX_DELAY_IN_SAVE_SECONDS = 0.003
_POLL_SECONDS = 0.002
_SIZES: dict[str, Setting] = {"hidden_size": 160, "embedding_size": 32, "batch_size": 8, "max_length": 40}
_INTERVALS = {"eval_every": 20, "save_every": 7, "keep_checkpoints": 2, "autosave_seconds": AUTOSAVE_SECONDS}


@dataclass
class Tally:
    """Counts and problems over all kills."""

    num_kills: int = 0
    num_during_saves: int = 0
    max_lost_seconds: float = 0.0
    max_lost_steps: int = 0
    num_compared_losses: int = 0
    problems: list[str] = field(default_factory=list)


Losses = dict[tuple[int, int], tuple[float, ...]]
"""The loss of each step, and the losses of each bucket, by first and last step."""


def losses_of(stream: Iterable[Event]) -> Losses:
    """Return the losses in a journal."""
    losses: Losses = {}
    for event in stream:
        if isinstance(event, StepsFinished):
            losses |= {(step, step): (loss,) for step, loss in enumerate(event.train_losses, event.first_step)}
        elif isinstance(event, StepsThinned):
            losses[event.first_step, event.step] = (event.least_loss, event.mean_loss, event.greatest_loss)
    return losses


class RunProcess:
    """A headless run in a forked process, and the events that it adds to its journal."""

    def __init__(self, config: RunConfig, folder: RunFolder, *, has_buckets: bool) -> None:
        self._journal = folder.journal_path
        self._offset = self._journal.stat().st_size if self._journal.exists() else 0
        self.events: list[Event] = []
        self._checkpoints = folder.checkpoint_path("latest").parent
        self._has_ended = False
        self._pid = os.fork()
        if not self._pid:
            if has_buckets:
                journal.WHOLE_STEPS = FEW_WHOLE_STEPS
            _train(config)

    def read_new(self) -> None:
        """Read the complete new lines of the journal. Raises `ValueError` for an invalid one."""
        if self._journal.exists():
            with self._journal.open("rb") as file:
                file.seek(self._offset)
                lines, newline, _ = file.read().rpartition(b"\n")
            self._offset += len(lines) + len(newline)
            self.events += [events.from_json(line) for line in lines.split(b"\n") if line]

    def wait_for_step(self) -> None:
        """Wait for a new step. Raises `ValueError` if the run ends before, or at the deadline."""
        deadline = time.monotonic() + START_SECONDS
        while not losses_of(self.events):
            ended, status = os.waitpid(self._pid, os.WNOHANG)
            self._has_ended = bool(ended)
            self.read_new()
            if self._has_ended or time.monotonic() > deadline:
                raise ValueError(f"it took no step: status {status}, {self.events[-1:]}")
            time.sleep(_POLL_SECONDS)

    def stop_in_save(self, chance: random.Random) -> None:
        """Send SIGSTOP at a random moment during a save.

        Raises `ValueError` if the run ends before, or if there was no save by the deadline.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self._is_saving():
                continue
            time.sleep(chance.uniform(0.0, _MAX_DELAY_IN_SAVE_SECONDS))
            os.kill(self._pid, signal.SIGSTOP)
            _, status = os.waitpid(self._pid, os.WUNTRACED)
            self._has_ended = not os.WIFSTOPPED(status)
            if self._has_ended:
                raise ValueError(f"it ended: status {status}")
            if self._is_saving():
                return
            os.kill(self._pid, signal.SIGCONT)
        raise ValueError("no save was seen")

    def _is_saving(self) -> bool:
        with os.scandir(self._checkpoints) as entries:
            return any(entry.name.endswith(".tmp") for entry in entries)

    def kill(self) -> None:
        """Send SIGKILL, unless the process has ended."""
        if not self._has_ended:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._has_ended = True


def _train(config: RunConfig) -> None:
    """Run headless, in the child; never returns."""
    status = 70
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(null, descriptor)
        status = run_headless(config, as_json=False)
    finally:
        os._exit(status)


def config_of(corpus: Path, name: str, *, is_resumed: bool) -> RunConfig:
    runtime = RuntimeConfig(device="cpu", precision="float32", threads=1)
    if is_resumed:
        return RunConfig(resume=name, runtime=runtime)
    files = CorpusConfig(files=(str(corpus),))
    return RunConfig(preset="tutorial", settings=_SIZES | _INTERVALS, corpus=files, runtime=runtime, run_name=name)


def check_files(folder: RunFolder, stream: list[Event], tally: Tally) -> None:
    """Check the files of a killed run. Raises `ValueError` and `TweetgenError`."""
    if is_locked(folder.journal_path):
        raise ValueError("its lock still exists")
    checkpoints = folder.checkpoint_path("latest").parent
    leftovers = list(folder.path.rglob("*.tmp"))
    tally.num_during_saves += bool(leftovers)
    if len(leftovers) > 1:
        raise ValueError(f"temporary files of earlier saves remain: {leftovers}")
    for path in checkpoints.glob("*.safetensors"):
        load_checkpoint(path)
    json.loads(folder.config_path.read_bytes())
    latest = load_checkpoint(folder.checkpoint_path("latest")).info
    check_steps(folder, latest.step)
    if not stream:
        return
    last = stream[-1]
    lost_seconds = last.elapsed_seconds - latest.elapsed_seconds
    allowed = allowed_seconds(stream)
    if lost_seconds > sum(allowed.values()):
        raise ValueError(f"{lost_seconds:.2f} s were lost, more than {allowed}")
    tally.max_lost_seconds = max(tally.max_lost_seconds, lost_seconds)
    tally.max_lost_steps = max(tally.max_lost_steps, last.step - latest.step)


def allowed_seconds(stream: list[Event]) -> dict[str, float]:
    """Return how much of a run a kill may lose, by reason."""
    kinds = RunStarted | StepsFinished | StepsThinned
    stamps = [event.elapsed_seconds for event in stream if isinstance(event, kinds)]
    reported_at: dict[int, float] = {}
    writes = [0.0]  # from the report of a step to that of a checkpoint of its weights: training continues
    for event in stream:
        reported_at.setdefault(event.step, event.elapsed_seconds)
        if isinstance(event, CheckpointSaved):
            writes.append(event.elapsed_seconds - reported_at.get(event.weights_step, event.elapsed_seconds))
    return {
        "the autosave interval": AUTOSAVE_SECONDS,
        "the longest step": max((after - before for before, after in pairwise(stamps)), default=0.0),
        "an evaluation and other checkpoints before it": stream[-1].elapsed_seconds - stamps[-1],
        "the longest write": max(writes),
    }


def check_steps(folder: RunFolder, latest_step: int) -> None:
    """Check that the journal has each step up to that of `latest` once, in no bucket that a checkpoint cuts.

    Raises `ValueError`.
    """
    reports: list[tuple[int, int]] = []
    for event in read_journal(folder.journal_path):
        if isinstance(event, RunStarted):
            reports = [report for report in reports if report[0] <= event.step]
        reports += losses_of([event])
    steps = [step for first, last in reports if first <= latest_step for step in range(first, last + 1)]
    if steps != list(range(1, latest_step + 1)):
        raise ValueError(f"its journal does not have each step up to {latest_step} once")


def check_resumed(before: Losses, stream: list[Event], tally: Tally) -> None:
    """Check that the repeated steps of a resumed run have the losses of the run before. Raises `ValueError`."""
    started = next((event for event in stream if isinstance(event, RunStarted)), None)
    if started is None or started.resumed_from is None:
        raise ValueError("it was not resumed")
    for (first, last), losses in losses_of(stream).items():
        if (known := before.get((first, last))) is not None:
            tally.num_compared_losses += 1
            if known != losses:
                raise ValueError(f"the loss of steps {first} to {last} was {known}, and is {losses} after a kill")


def kill_many(times: int, seed: int) -> Tally:
    """Run all rounds in a temporary data folder."""
    chance = random.Random(seed)  # noqa: S311 - no secrets
    tally = Tally()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as home:
        os.environ["TWEETGEN_HOME"] = home
        corpus = write_tweets(Path(home) / "tweets.txt")
        before: Losses = {}
        for number in range(times):
            run_number, round_number = divmod(number, ROUNDS_PER_RUN)
            name = f"run-{run_number}"
            is_resumed = round_number > 0 and bool(before)
            is_early = is_resumed and number % _EARLY_EVERY == 0
            try:
                config = config_of(corpus, name, is_resumed=is_resumed)
                run = RunProcess(config, folder_of_run(name), has_buckets=run_number % 2 == 1)
                try:
                    if not is_early:
                        run.wait_for_step()
                    time.sleep(chance.uniform(0.0, _MAX_EARLY_DELAY_SECONDS if is_early else _MAX_DELAY_SECONDS))
                    if number % 2:
                        run.stop_in_save(chance)
                finally:
                    run.kill()  # also after a wait that failed: it writes to the folder that is removed at the end
                run.read_new()
                tally.num_kills += 1
                check_files(folder_of_run(name), run.events, tally)
                if is_resumed and not is_early:
                    check_resumed(before, run.events, tally)
            except (ValueError, OSError, TweetgenError) as error:
                tally.problems.append(f"round {number}, {name}: {error}")
                before = {}
            else:
                before = (before if is_resumed else {}) | losses_of(run.events)
    return tally


def main() -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=10, help="kills")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the moments")
    options = parser.parse_args()
    began = time.monotonic()
    tally = kill_many(options.times, options.seed)
    print(*tally.problems, sep="\n", end="\n" if tally.problems else "")
    print(
        f"{tally.num_kills} kills, {tally.num_during_saves} during a save: {len(tally.problems)} unusable runs; "
        f"at most {tally.max_lost_seconds:.2f} s and {tally.max_lost_steps} steps lost of an interval of "
        f"{AUTOSAVE_SECONDS:g} s; {tally.num_compared_losses:,} repeated losses compared; "
        f"{time.monotonic() - began:.0f} s; --seed {options.seed}"
    )
    return 0 if not tally.problems and tally.num_during_saves >= options.times // 2 else 1


if __name__ == "__main__":
    sys.exit(main())
