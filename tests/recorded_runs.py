"""Journals of invented runs, to be recorded."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine.protocol import codec
from engine.protocol import events as e
from tests.fakes import eval_finished, run_started, steps_finished, tweet_sampled

STEPS_PER_SECOND = 20
TWEET = "🌻 good morning, {}!"


def write_run(home: Path, events: Iterable[e.Event], name: str = "first") -> Path:
    """Write the journal of a run into a data folder; return its path."""
    path = home / "runs" / name / "events.jsonl"
    path.parent.mkdir(parents=True)
    (path.parent / "config.json").write_text("{}", encoding="utf-8")
    path.write_text("".join(codec.encode(event) + "\n" for event in events), encoding="utf-8")
    return path


def run_of(num_seconds: int) -> Iterator[e.Event]:
    """Yield the events of a run: steps every second, a tweet every two, an evaluation every ten."""
    yield run_started(run="first")
    for second in range(1, num_seconds + 1):
        first = (second - 1) * STEPS_PER_SECOND + 1
        losses = [1.0 + 2.0 * math.exp(-(first + number) / 200) for number in range(STEPS_PER_SECOND)]
        step = first + STEPS_PER_SECOND - 1
        yield steps_finished(first, losses, elapsed_seconds=float(second))
        if second % 2 == 0:
            yield tweet_sampled(TWEET.format(second), step)
        if second % 10 == 0:
            yield eval_finished(step, 4.0 - second / 20)
