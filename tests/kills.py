"""Kills real headless runs with SIGKILL at random moments, half of them in the middle of a save, and resumes them.

    python -m tests.kills --times 200

Each round starts a run, or resumes the one that was killed before, as `tweetgen-tui train` does; waits until it has
taken a new step (some are killed while they start); and kills it. In half of the rounds that is a random moment after a
temporary file of a checkpoint was seen, and the run is stopped first, to see whether that file is there still. **During
a save** counts only what is proven by a temporary file that the killed process left.

Then every file is checked: all checkpoints whole, the journal readable to its last line, and no more lost than the
autosave interval and a step. The next round checks that `--resume` goes on bit for bit: it trains again what was lost,
and each loss must be the one that the killed process had written down.

A parent that has everything imported forks the runs, so that a round takes a second or so, most of it training.
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
from engine.config.run import RunConfig, RuntimeConfig
from engine.errors import TweetgenError
from engine.protocol import events
from engine.protocol.codec import DecodeError
from engine.protocol.events import Event, RunStarted, StepsFinished
from engine.storage.file_lock import is_locked
from engine.storage.folders import RunFolder, folder_of_run
from tui.cli.headless import run_headless

AUTOSAVE_SECONDS = 1.0
ROUNDS_PER_RUN = 10
START_SECONDS = 60.0
"""So long a run may take to its first new step on a busy machine; then it counts as unusable."""
_LATEST_MOMENT_SECONDS = 0.6
_EARLY_EVERY, _LATEST_EARLY_SECONDS = 8, 0.3
_MAX_AFTER_SEEN_SECONDS = 0.003
_POLL_SECONDS = 0.002
_SETTINGS = {
    "hidden_size": 160,
    "embedding_size": 32,
    "batch_size": 8,
    "eval_every": 20,
    "save_every": 7,
    "keep_checkpoints": 2,
    "max_length": 40,
    "autosave_seconds": AUTOSAVE_SECONDS,
}


@dataclass
class Tally:
    """What came of the kills."""

    num_kills: int = 0
    num_during_saves: int = 0
    max_lost_seconds: float = 0.0
    max_lost_steps: int = 0
    num_compared_losses: int = 0
    problems: list[str] = field(default_factory=list)

    def summary(self, seconds: float) -> str:
        """Return it in a line."""
        return (
            f"{self.num_kills} kills, {self.num_during_saves} during a save: {len(self.problems)} unusable runs; "
            f"at most {self.max_lost_seconds:.2f} s and {self.max_lost_steps} steps lost of an interval of "
            f"{AUTOSAVE_SECONDS:g} s; {self.num_compared_losses:,} losses learned again, all equal; {seconds:.0f} s"
        )


class Journal:
    """Reads what a run has written down since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = path.stat().st_size if path.exists() else 0

    def news(self) -> list[Event]:
        """Return the events of all whole lines that are new. Raises `ValueError` where one of them is no event."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._place)
            lines, newline, _ = file.read().rpartition(b"\n")
        self._place += len(lines) + len(newline)
        return [event_in(line) for line in lines.split(b"\n") if line]


def event_in(line: bytes) -> Event:
    try:
        return events.from_json(line)
    except DecodeError as error:
        raise ValueError(f"a line of the journal is no event: {error}") from error


def losses_of(told: Iterable[Event]) -> dict[int, float]:
    """Return the train loss of each step."""
    return {
        step: loss
        for event in told
        if isinstance(event, StepsFinished)
        for step, loss in enumerate(event.train_losses, start=event.first_step)
    }


class Victim:
    """A run in a process of its own."""

    def __init__(self, config: RunConfig, folder: RunFolder) -> None:
        """Start it."""
        self._journal = Journal(folder.journal_path)
        self.told: list[Event] = []
        self._checkpoints = folder.checkpoint_path("latest").parent
        self._pid = os.fork()
        if not self._pid:
            _train(config)

    def wait_for_step(self) -> None:
        """Wait until it has taken a step. Raises `ValueError` where it ends before, or takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while not losses_of(self.told):
            ended, status = os.waitpid(self._pid, os.WNOHANG)
            if ended or time.monotonic() > deadline:
                raise ValueError(f"it took no step: status {status}, {self.told[-1:]}")
            time.sleep(_POLL_SECONDS)
            self.told += self._journal.news()

    def stop_in_save(self, chance: random.Random) -> None:
        """Stop it a random moment after a save has begun and before that is over.

        Raises `ValueError` where there is none.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self._is_saving():
                continue
            time.sleep(chance.uniform(0.0, _MAX_AFTER_SEEN_SECONDS))
            os.kill(self._pid, signal.SIGSTOP)
            os.waitpid(self._pid, os.WUNTRACED)
            if self._is_saving():
                return
            os.kill(self._pid, signal.SIGCONT)
        raise ValueError("no save was seen")

    def _is_saving(self) -> bool:
        with os.scandir(self._checkpoints) as entries:
            return any(entry.name.endswith(".tmp") for entry in entries)

    def kill(self) -> None:
        """End it, and read what it has left in its journal. Raises `ValueError` where a line is no event."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        self.told += self._journal.news()


def _train(config: RunConfig) -> None:
    """Be a headless run, in the child; never returns."""
    status = 70
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(null, descriptor)
        status = run_headless(config, as_json=False)
    finally:
        os._exit(status)


def write_corpus(folder: Path) -> Path:
    """Write tweets to train on."""
    chance = random.Random(0)  # noqa: S311 - no secrets
    words = ("cat", "tea", "moon", "paints", "a", "the", "happy", "Tuesday", ":)", "hugs", "two", "boats", "red")
    lines = {" ".join(chance.choices(words, k=6)) for _ in range(400)}
    path = folder / "tweets.txt"
    path.write_text("\n".join(sorted(lines)) + "\n")
    return path


def config_of(corpus: Path, name: str, *, is_resumed: bool) -> RunConfig:
    runtime = RuntimeConfig(device="cpu", precision="float32", threads=1)
    if is_resumed:
        return RunConfig(resume=name, runtime=runtime)
    return RunConfig(
        preset="tutorial",
        settings=_SETTINGS,
        corpus=CorpusConfig(files=(str(corpus),)),
        runtime=runtime,
        run_name=name,
    )


def check_files(folder: RunFolder, told: list[Event], tally: Tally) -> None:
    """Check what a killed run has left. Raises `ValueError` and `TweetgenError`."""
    if is_locked(folder.journal_path):
        raise ValueError("its lock has outlived it")
    checkpoints = folder.checkpoint_path("latest").parent
    left = list(folder.path.rglob("*.tmp"))
    tally.num_during_saves += bool(left)
    if len(left) > 1:
        raise ValueError(f"what was left of an earlier save is still there: {left}")
    for path in checkpoints.glob("*.safetensors"):
        load_checkpoint(path)
    json.loads(folder.config_path.read_bytes())
    latest = load_checkpoint(folder.checkpoint_path("latest")).info
    if not told:
        return
    last = told[-1]
    stamps = [event.elapsed_seconds for event in told]
    longest_step = max((after - before for before, after in pairwise(stamps)), default=0.0)
    lost_seconds = last.elapsed_seconds - latest.elapsed_seconds
    if lost_seconds > AUTOSAVE_SECONDS + longest_step:
        raise ValueError(f"{lost_seconds:.2f} s were lost, and no step took longer than {longest_step:.2f} s")
    tally.max_lost_seconds = max(tally.max_lost_seconds, lost_seconds)
    tally.max_lost_steps = max(tally.max_lost_steps, last.step - latest.step)


def check_resumed(before: dict[int, float], told: list[Event], tally: Tally) -> None:
    """Check that a resumed run has learned the same again as the one before. Raises `ValueError`."""
    started = next((event for event in told if isinstance(event, RunStarted)), None)
    if started is None or started.resumed_from is None:
        raise ValueError("it was not resumed")
    for step, loss in losses_of(told).items():
        if step in before:
            tally.num_compared_losses += 1
            if before[step] != loss:
                raise ValueError(f"the loss of step {step} was {before[step]}, and is {loss} now")


def kill_many(times: int, seed: int) -> Tally:
    """Do it, in a data folder that is removed afterwards."""
    chance = random.Random(seed)  # noqa: S311 - no secrets
    tally = Tally()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as home:
        os.environ["TWEETGEN_HOME"] = home
        corpus = write_corpus(Path(home))
        before: dict[int, float] = {}
        for number in range(times):
            name = f"run-{number // ROUNDS_PER_RUN}"
            folder, is_resumed = folder_of_run(name), number % ROUNDS_PER_RUN > 0 and bool(before)
            try:
                victim = Victim(config_of(corpus, name, is_resumed=is_resumed), folder)
                is_early = is_resumed and number % _EARLY_EVERY == 0
                if not is_early:
                    victim.wait_for_step()
                time.sleep(chance.uniform(0.0, _LATEST_EARLY_SECONDS if is_early else _LATEST_MOMENT_SECONDS))
                if number % 2:
                    victim.stop_in_save(chance)
                victim.kill()
                tally.num_kills += 1
                check_files(folder, victim.told, tally)
                if is_resumed and not is_early:
                    check_resumed(before, victim.told, tally)
            except (ValueError, OSError, TweetgenError) as error:
                tally.problems.append(f"round {number}, {name}: {error}")
                before = {}
                continue
            before = (before if is_resumed else {}) | losses_of(victim.told)
    return tally


def main() -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=10, help="kills")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the moments")
    options = parser.parse_args()
    began = time.monotonic()
    tally = kill_many(options.times, options.seed)
    print(*tally.problems, sep="\n", end="\n" if tally.problems else "")  # noqa: T201 - what the command is for
    print(f"{tally.summary(time.monotonic() - began)}; --seed {options.seed}")  # noqa: T201 - the same
    return 0 if not tally.problems and tally.num_during_saves >= options.times // 2 else 1


if __name__ == "__main__":
    sys.exit(main())
