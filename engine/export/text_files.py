"""Runs and tweets as text files for other programs: CSV and JSON lines, tweets also one per line.

A journal is read without a lock and line by line, so that a run of any length can be exported, even while it trains. A
tweet takes one line in every format. In CSV, a tweet that a spreadsheet would evaluate as a formula gets a leading
apostrophe; the other formats keep the text.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from engine.protocol import codec
from engine.protocol.events import (
    CheckpointLoaded,
    EvalFinished,
    Event,
    RunStarted,
    StepsFinished,
    StepsThinned,
    TweetSampled,
)
from engine.storage.journal import SkippedLines, read_journal
from engine.text import sanitize, sanitize_in_place

COLUMNS = (
    *("kind", "step", "first_step", "num_steps", "elapsed_seconds"),
    *("train_loss", "least_loss", "greatest_loss", "grad_norm", "least_grad_norm", "greatest_grad_norm"),
    *("learning_rate", "chars_per_second", "val_loss", "bits_per_char", "is_best"),
)
"""A row is a `step`, a `bucket` of steps (then loss and norm are their means) or an `evaluation`.

Losses are in nats per character. Steps that were reported together have the same time and speed; the learning rate of a
bucket is that of its last step.
"""
_Row = tuple[str | int | float, ...]


@dataclass
class Thinned:
    """The thinned steps among the events that were exported."""

    first_step: int = 0
    last_step: int = 0
    num_buckets: int = 0
    longest: int = 0

    def add(self, bucket: StepsThinned) -> None:
        """Count a bucket."""
        self.first_step = min(self.first_step, bucket.first_step) if self.num_buckets else bucket.first_step
        self.last_step = max(self.last_step, bucket.step)
        self.num_buckets += 1
        self.longest = max(self.longest, bucket.num_steps)

    def __str__(self) -> str:
        if not self.num_buckets:
            return "No step is thinned."
        steps = f"Steps {self.first_step:,} to {self.last_step:,} are thinned"
        return f"{steps}: {self.num_buckets:,} buckets of up to {self.longest:,} steps."


def run_to_csv(path: Path, thinned: Thinned, skipped: SkippedLines) -> Iterator[str]:
    """Yield the lines of a table, without the steps and evaluations that a load or a resume has taken back.

    Counts in `thinned` and `skipped`. Raises `OSError` where the journal can't be read.
    """
    yield _line(COLUMNS)
    for event in _without_those_taken_back(path, skipped):
        if isinstance(event, StepsThinned):
            thinned.add(event)
        yield from map(_line, _rows(event))


def run_to_jsonl(path: Path, thinned: Thinned, skipped: SkippedLines) -> Iterator[str]:
    """Yield all events of a journal as lines; counts and raises as `run_to_csv`."""
    for event in read_journal(path, skipped):
        if isinstance(event, StepsThinned):
            thinned.add(event)
        yield codec.encode(event) + "\n"


RUN_FORMATS: dict[str, Callable[[Path, Thinned, SkippedLines], Iterator[str]]] = {
    "csv": run_to_csv,
    "jsonl": run_to_jsonl,
}


def _without_those_taken_back(path: Path, skipped: SkippedLines) -> Iterator[Event]:
    """Yield the events of a journal that no later event takes back. Raises `OSError`."""
    returns = (step for event in read_journal(path) if (step := _goes_back_to(event)) is not None)
    last_steps = last_remaining_steps(returns)
    for event in read_journal(path, skipped):
        if _goes_back_to(event) is not None and len(last_steps) > 1:
            last_steps.pop()
        if (event.first_step if isinstance(event, StepsThinned | StepsFinished) else event.step) <= last_steps[-1]:
            yield _cut(event, last_steps[-1])


def last_remaining_steps(returns: Iterable[int]) -> list[float]:
    """Return the last step that remains of what precedes each return to a step, in reverse, after infinity."""
    last_steps = [math.inf]
    for step in reversed(list(returns)):
        last_steps.append(min(step, last_steps[-1]))
    return last_steps


def _goes_back_to(event: Event) -> int | None:
    """Return the step to which an event takes the run back, if it may."""
    is_resumed = isinstance(event, RunStarted) and event.resumed_from
    return event.step if is_resumed or isinstance(event, CheckpointLoaded) else None


def _cut(event: Event, last_step: float) -> Event:
    """Return a report without the steps after `last_step`; any other event as it is."""
    if not isinstance(event, StepsFinished) or event.step <= last_step:
        return event
    count = int(last_step) - event.first_step + 1
    fields = {
        "step": int(last_step),
        "train_losses": event.train_losses[:count],
        "grad_norms": event.grad_norms[:count],
        "learning_rates": event.learning_rates[:count],
    }
    return replace(event, **fields)


def _rows(event: Event) -> Iterator[_Row]:
    now = event.elapsed_seconds
    match event:
        case StepsFinished():
            rest = ("", "", "")
            steps = zip(event.train_losses, event.grad_norms, event.learning_rates, strict=True)
            for step, (loss, norm, rate) in enumerate(steps, event.first_step):
                means = (loss, loss, loss, norm, norm, norm, rate, event.chars_per_second)
                yield ("step", step, step, 1, now, *means, *rest)
        case StepsThinned():
            losses = (event.mean_loss, event.least_loss, event.greatest_loss)
            norms = (event.mean_grad_norm, event.least_grad_norm, event.greatest_grad_norm)
            rates = (event.learning_rate, event.chars_per_second)
            yield ("bucket", event.step, event.first_step, event.num_steps, now, *losses, *norms, *rates, "", "", "")
        case EvalFinished():
            result = (event.val_loss, event.bits_per_char, str(event.is_best).lower())
            yield ("evaluation", event.step, event.step, "", now, *[""] * 8, *result)


def _line(cells: Iterable[str | int | float]) -> str:
    """Return a line of CSV."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


# Tweets ---------------------------------------------------------------------------------------------------------------

_FORMULA_PREFIXES = ("=", "+", "-", "@")


def tweets_to_text(tweets: Iterable[TweetSampled]) -> str:
    """Return the texts, one per line."""
    return "".join(f"{sanitize_in_place(tweet.text)}\n" for tweet in tweets)


def tweets_to_jsonl(tweets: Iterable[TweetSampled]) -> str:
    """Return the events as JSON, one per line, as in a journal."""
    return "".join(f"{codec.encode(replace(tweet, text=sanitize(tweet.text)))}\n" for tweet in tweets)


def tweets_to_csv(tweets: Iterable[TweetSampled]) -> str:
    """Return comma-separated values with a header row."""
    lines = [_line(("step", "temperature", "novelty", "bits_per_char", "text"))]
    for tweet in tweets:
        text = sanitize_in_place(tweet.text)
        cell = f"'{text}" if text.lstrip().startswith(_FORMULA_PREFIXES) else text
        lines.append(_line((tweet.step, f"{tweet.temperature:g}", tweet.novelty, f"{tweet.bits_per_char:.4f}", cell)))
    return "".join(lines)


TWEET_FORMATS: dict[str, Callable[[Iterable[TweetSampled]], str]] = {
    ".txt": tweets_to_text,
    ".jsonl": tweets_to_jsonl,
    ".csv": tweets_to_csv,
}
"""By suffix."""
