"""Thins the old steps of a journal: many `StepsFinished` become one `StepsThinned`. Pure: lines in, lines out.

A bucket contains consecutive steps with the same `step // width`, and `width` is a power of two: when the run has
become longer, the wider buckets consist of whole narrower ones, and so do the buckets of the plot (`tui.run.series`).
All other lines stay as they are, in their order; a bucket is where its last step was.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from engine.protocol import codec, events
from engine.protocol.events import (
    CheckpointSaved,
    EvalFinished,
    RanksMeasured,
    StepsFinished,
    StepsThinned,
    StepTimes,
    TweetSampled,
)

KEPT_STEPS = 32_768
"""The latest steps stay whole: four times as many as the plot shows one by one."""
MIN_BUCKETS = 8192
"""A run has one to two times as many, and its plot at most a quarter of that, of the same kind."""
_BUCKET_BYTES = 350
_MIN_GAIN = 2


def _head(*kinds: type) -> tuple[bytes, ...]:
    return tuple(f'{{"event":"{kind.__name__}",'.encode() for kind in kinds)


_FINISHED, _THINNED = _head(StepsFinished, StepsThinned)
_BETWEEN_STEPS = _head(TweetSampled, EvalFinished, StepTimes, RanksMeasured, CheckpointSaved)
"""Lines that don't end a bucket. All others do, so that no step moves beyond a change of the run."""
_STEPS = re.compile(
    rb'\{"event":"Steps(?:Finished|Thinned)","step":([0-9]{1,16}),"elapsed_seconds":[^,]+,"first_step":([0-9]{1,16}),'
)


@dataclass(frozen=True)
class Plan:
    """What is thinned, and how."""

    end: int
    """Offset of the first line that stays as it is, with all that follow."""
    width: int
    """The greatest number of steps of a bucket."""
    num_bytes: int
    """Length of all `StepsFinished` before `end`."""
    num_steps: int
    """Steps in these."""

    @property
    def is_worthwhile(self) -> bool:
        """Whether the buckets take at most half of the bytes of the steps."""
        return self.num_bytes >= _MIN_GAIN * _BUCKET_BYTES * self.num_steps / self.width


def plan_of(lines: Iterable[bytes]) -> Plan:
    """Return what to thin of a journal with these lines."""
    offset = num_bytes = num_steps = num_recent = last_step = 0
    first_step: int | None = None
    recent: deque[tuple[int, int, int]] = deque()
    for line in lines:
        steps = _STEPS.match(line)
        if steps is not None:
            last_step, first_of_line = int(steps[1]), int(steps[2])
            first_step = first_of_line if first_step is None else min(first_step, first_of_line)
            if line.startswith(_FINISHED):
                recent.append((offset, len(line), last_step - first_of_line + 1))
                num_recent += recent[-1][2]
        while recent and num_recent - recent[0][2] >= KEPT_STEPS:
            _, length, num_of_line = recent.popleft()
            num_bytes, num_steps, num_recent = num_bytes + length, num_steps + num_of_line, num_recent - num_of_line
        offset += len(line)
    span = last_step - (first_step or 0) + 1
    width = 1 << max((span // MIN_BUCKETS).bit_length() - 1, 0)
    return Plan(recent[0][0] if recent else offset, width, num_bytes, num_steps)


@dataclass
class _Range:
    """The least, the greatest and the sum of some values."""

    least: float
    greatest: float
    total: float

    @classmethod
    def of(cls, values: Sequence[float]) -> _Range:
        return cls(min(values), max(values), sum(values))

    def add(self, other: _Range) -> None:
        self.least, self.greatest = min(self.least, other.least), max(self.greatest, other.greatest)
        self.total += other.total


@dataclass
class _Bucket:
    """Consecutive steps, and the report or bucket with the last of them."""

    first_step: int
    last_step: int
    losses: _Range
    grad_norms: _Range
    last: StepsFinished | StepsThinned
    line: bytes | None = None
    """The line that it is already."""

    def add(self, other: _Bucket) -> None:
        self.last_step, self.last, self.line = other.last_step, other.last, None
        self.losses.add(other.losses)
        self.grad_norms.add(other.grad_norms)

    def to_line(self) -> bytes:
        if self.line is not None:
            return self.line
        num_steps = self.last_step - self.first_step + 1
        event = StepsThinned(
            step=self.last_step,
            elapsed_seconds=self.last.elapsed_seconds,
            first_step=self.first_step,
            num_steps=num_steps,
            least_loss=self.losses.least,
            mean_loss=self.losses.total / num_steps,
            greatest_loss=self.losses.greatest,
            least_grad_norm=self.grad_norms.least,
            mean_grad_norm=self.grad_norms.total / num_steps,
            greatest_grad_norm=self.grad_norms.greatest,
            learning_rate=self.last.learning_rate,
            chars_per_second=self.last.chars_per_second,
        )
        return events.to_json(event).encode() + b"\n"


def thinned(lines: Iterable[bytes], width: int) -> Iterator[bytes]:
    """Yield the lines of a journal with its steps in buckets of at most `width` steps, a power of two."""
    bucket: _Bucket | None = None
    after: list[bytes] = []  # lines since the last step of the bucket
    for line in lines:
        parts = _parts_of(line, width)
        if not parts and bucket is not None and line.startswith(_BETWEEN_STEPS):
            after.append(line)
        elif not parts:
            yield from _ended(bucket, after)
            yield line
            bucket, after = None, []
        for part in parts:
            if bucket is not None and _belong_together(bucket, part, width):
                yield from after
                bucket.add(part)
            else:
                yield from _ended(bucket, after)
                bucket = part
            after = []
    yield from _ended(bucket, after)


def _ended(bucket: _Bucket | None, after: list[bytes]) -> Iterator[bytes]:
    """Yield a bucket and the lines after it."""
    if bucket is not None:
        yield bucket.to_line()
    yield from after


def _belong_together(bucket: _Bucket, part: _Bucket, width: int) -> bool:
    """Return whether the steps of `part` are the next ones of the same bucket."""
    return part.first_step == bucket.last_step + 1 and part.first_step // width == bucket.first_step // width


def _parts_of(line: bytes, width: int) -> list[_Bucket]:
    """Return the steps of a line, each part in one bucket; nothing for any other line, and for one that is damaged."""
    if not line.startswith((_FINISHED, _THINNED)):
        return []
    try:
        event = events.from_json(line)
    except codec.DecodeError:
        return []
    if isinstance(event, StepsThinned) and event.num_steps == event.step - event.first_step + 1:
        losses = _Range(event.least_loss, event.greatest_loss, event.mean_loss * event.num_steps)
        norms = _Range(event.least_grad_norm, event.greatest_grad_norm, event.mean_grad_norm * event.num_steps)
        return [_Bucket(event.first_step, event.step, losses, norms, event, line)]
    num_steps = event.step - event.first_step + 1 if isinstance(event, StepsFinished) else 0
    if isinstance(event, StepsFinished) and len(event.train_losses) == len(event.grad_norms) == num_steps:
        return list(_parts_of_report(event, width))
    return []


def _parts_of_report(report: StepsFinished, width: int) -> Iterator[_Bucket]:
    """Yield the steps of a report, each part in one bucket."""
    first = report.first_step
    while first <= report.step:
        last = min(first - first % width + width - 1, report.step)
        inside = slice(first - report.first_step, last - report.first_step + 1)
        losses, norms = _Range.of(report.train_losses[inside]), _Range.of(report.grad_norms[inside])
        yield _Bucket(first, last, losses, norms, report)
        first = last + 1
