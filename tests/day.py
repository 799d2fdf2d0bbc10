"""`python -m tests.day --hours 24`: size and opening time of the journal of a simulated run, written by `Journal`.

A thousand steps a second: a report of a hundred steps every 0.1 s, a tweet a second, evaluation and step times every
two seconds, `latest` saved once a minute. The journal is thinned as it grows, so its greatest size is printed, too.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engine.protocol import events as e
from engine.storage.journal import Journal
from engine.storage.journal_reader import last_event
from tests.fakes import run_started
from tui.run.journal import read_history

STEPS_PER_SECOND = 1000
REPORT_STEPS = 100
_TWEET = (
    "the moon paints a happy tuesday with two boats and a red cat 😀 hugs and tea for everybody in the town today :)"
)
_NUM_CURVES = 200


def _shortest(values: list[float]) -> tuple[float, ...]:
    """Return float32 values in their shortest digits, as the reporter does."""
    return tuple(float(str(value)) for value in np.array(values, np.float32))


def seconds_of_run(num_seconds: int, seed: int = 0) -> Iterator[list[e.Event]]:
    """Yield the events of each second of a run."""
    chance = random.Random(seed)  # noqa: S311 - no secrets
    curves = [_shortest([chance.gauss(1.6, 0.1) for _ in range(REPORT_STEPS)]) for _ in range(_NUM_CURVES)]
    norms = [_shortest([chance.expovariate(2) for _ in range(REPORT_STEPS)]) for _ in range(_NUM_CURVES)]
    for second in range(num_seconds):
        yield [*_reports(second, chance, curves, norms), *_others(second + 1, chance)]


def _reports(
    second: int, chance: random.Random, curves: list[tuple[float, ...]], norms: list[tuple[float, ...]]
) -> Iterator[e.Event]:
    """Yield the reports of a second's steps."""
    for first in range(second * STEPS_PER_SECOND + 1, (second + 1) * STEPS_PER_SECOND + 1, REPORT_STEPS):
        yield e.StepsFinished(
            step=first + REPORT_STEPS - 1,
            elapsed_seconds=(first + REPORT_STEPS + chance.random()) / STEPS_PER_SECOND,
            first_step=first,
            train_losses=chance.choice(curves),
            grad_norms=chance.choice(norms),
            learning_rate=0.004 * chance.random(),
            chars_per_second=1e6 * chance.random(),
        )


def _others(second: int, chance: random.Random) -> Iterator[e.Event]:
    """Yield the tweet of a second, and what else is due at its end."""
    step, seconds = second * STEPS_PER_SECOND, second + 0.1 * chance.random()
    text = _TWEET[: chance.randint(40, len(_TWEET))]
    yield e.TweetSampled(
        step=step,
        elapsed_seconds=seconds,
        text=text,
        temperature=0.8,
        reached_eos=True,
        bits_per_char=1 + chance.random(),
        novelty="new",
        copied_share=chance.random(),
        char_bits=tuple(round(chance.expovariate(0.5), 2) for _ in range(len(text) + 1)),
    )
    if second % 2 == 0:
        bits = 1 + chance.random()
        yield e.EvalFinished(
            step=step, elapsed_seconds=seconds, val_loss=0.693 * bits, bits_per_char=bits, is_best=False
        )
        parts = {f"{name}_seconds": chance.random() for name in ("data", "forward", "backward", "optimizer")}
        rest = {f"{name}_seconds": chance.random() for name in ("sampling", "evaluation", "saving")}
        yield e.StepTimes(
            step=step, elapsed_seconds=seconds, num_steps=2 * STEPS_PER_SECOND, seconds=2.0, **parts, **rest
        )
    if second % 60 == 0:
        yield e.CheckpointSaved(
            step=step, elapsed_seconds=seconds, name="latest", path="/home/x" * 8, bits_per_char=2.0
        )


def write_run(path: Path, num_seconds: int) -> int:
    """Write the journal of a run; return its greatest length in bytes."""
    journal = Journal(path)
    journal.write(run_started())
    greatest = 0
    for events in seconds_of_run(num_seconds):
        for event in events:
            journal.write(event)
        greatest = max(greatest, path.stat().st_size)
        if journal._thinning is not None:  # simulated time passes 1,000 times as fast as real time
            journal._thinning.wait()
    journal.close()
    return greatest


def main(given: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.day", description="The journal of a day: size, opening time."
    )
    parser.add_argument("--hours", type=float, default=24, help="simulated duration (24)")
    hours = parser.parse_args(given).hours
    with tempfile.TemporaryDirectory(prefix="day-") as folder:
        path = Path(folder) / "events.jsonl"
        began = time.perf_counter()
        greatest = write_run(path, int(3600 * hours))
        print(f"written in {time.perf_counter() - began:.0f} s")
        size = path.stat().st_size
        print(f"{hours:g} hours: {size / 1e6:.0f} MB, at most {greatest / 1e6:.0f} MB; ", end="")
        print(f"{size / (3600 * hours * STEPS_PER_SECOND):.2f} bytes a step")
        for _ in range(3):
            began = time.perf_counter()
            view, _ = read_history(path)
            print(f"opened in {time.perf_counter() - began:.2f} s: {len(view.train_losses):,} steps")
        began = time.perf_counter()
        last_event(path)
        print(f"the last event in {1000 * (time.perf_counter() - began):.1f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
