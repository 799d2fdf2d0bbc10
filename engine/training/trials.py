"""Trials: which number of threads and which precision trains a model fastest on this CPU right now.

Neither can be known in advance: two threads on idle cores do up to 1.6 times the work of one, and less than one while
other processes occupy the cores; bfloat16 gains a factor of 2 on one processor and nothing on another. So candidates
run trials of the same work, in turns and starting very small; slow ones drop out early, and another candidate must be
clearly faster than the one in use.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import torch

from engine.corpus.encoded_tweets import Batch
from engine.model.vocab import PAD
from engine.training.trainer import Trainer

TRIAL_SECONDS, PRECISION_TRIAL_SECONDS = 0.02, 0.04
"""The work of a trial grows from round to round until it takes about this long, longer for precisions: bfloat16 gains
little on few characters."""
MIN_ROUNDS = 3
"""Even if they take longer than the limit."""
FIRST_COLUMNS = 4
"""Characters per tweet in the first round on a CPU: few, since some candidates may be much slower than others."""
PATIENCE_SECONDS = 0.05
"""A candidate with several threads drops out once it is this far behind the fastest, and `_FAR_BEHIND` times slower."""
_FAR_BEHIND = 1.5
_MAX_GROWTH = 4
_MORE_THREADS, _FEWER_THREADS = 1.1, 1.05
"""Speedup at which more, or fewer, threads replace those in use."""
_BFLOAT16 = 1.15
"""Speedup at which bfloat16 replaces float32."""


@dataclass(frozen=True, kw_only=True, order=True)
class Candidate:
    """One way to compute a step."""

    num_threads: int
    precision: str = "float32"


class TrialAbortedError(Exception):
    """The trials are to stop: something else is to be done first."""


class Trials:
    """Timed forward and backward passes of one batch on the CPU.

    They overwrite the gradient, and change neither weights nor optimizer nor any generator. Trainer and torch are left
    in the precision and threads of the last trial. The first pass of a candidate at a size is not timed: it allocates
    memory, starts threads, and compiles.
    """

    def __init__(self, trainer: Trainer, batches: Sequence[Batch], check: Callable[[], None]) -> None:
        """Use the batch of median length; `check` runs before each trial and may raise to abort."""
        self._trainer = trainer
        self._batch = median_batch(batches)
        self._check = check
        self._warm: set[tuple[Candidate, int]] = set()

    def in_seconds(self, candidate: Candidate, size: int) -> tuple[int, float]:
        """Return characters and seconds on the clock, in which threads wait for busy cores and for each other."""
        return self._run(candidate, size, time.perf_counter)

    def in_cpu_seconds(self, candidate: Candidate, size: int) -> tuple[int, float]:
        """Return characters and seconds of this thread on a core, which other processes hardly change."""
        return self._run(candidate, size, time.thread_time)

    def _run(self, candidate: Candidate, size: int, clock: Callable[[], float]) -> tuple[int, float]:
        self._check()
        inputs, targets = (each[:, : FIRST_COLUMNS * size] for each in (self._batch.inputs, self._batch.targets))
        batch = Batch(inputs, targets, num_targets=int((targets != PAD).sum()))
        torch.set_num_threads(candidate.num_threads)
        self._trainer.precision = candidate.precision
        if (candidate, inputs.shape[1]) not in self._warm:
            self._warm.add((candidate, inputs.shape[1]))
            self._trainer.forward_backward(batch)
        began = clock()
        self._trainer.forward_backward(batch)
        return batch.num_targets, max(clock() - began, 1e-9)


@dataclass(kw_only=True)
class Calibration:
    """The measured seconds of each candidate, round by round, on the same work."""

    size: int = 1
    """Of the next trials."""
    num_chars: list[int] = field(default_factory=list)
    """Characters processed in each round."""
    seconds: dict[Candidate, list[float]] = field(default_factory=dict)
    """A candidate that dropped out has fewer rounds."""

    def ratio(self, candidate: Candidate, other: Candidate) -> float:
        """Return the speedup of `candidate` over `other` in the later half of the rounds that both ran.

        It is the smaller of the speedup over all of those rounds and the median: a chance delay of `other` does not
        make `candidate` fast, and rare but long delays of `candidate` count in full.
        """
        pairs = list(zip(self.seconds[other], self.seconds[candidate], strict=False))
        others, own = np.array(pairs[len(pairs) // 2 :]).T
        return float(min(others.sum() / own.sum(), np.median(others / own)))

    def chars_per_second(self, candidate: Candidate) -> float:
        """Return the mean speed in the later half of the candidate's rounds."""
        own = self.seconds[candidate]
        first = len(own) // 2
        return sum(self.num_chars[first : len(own)]) / sum(own[first:])


_Variant = TypeVar("_Variant")


def rotated(variants: Sequence[_Variant], number: int) -> list[_Variant]:
    """Return the order of `variants` in round `number`: each round starts with another one."""
    first = number % len(variants)
    return [*variants[first:], *variants[:first]]


RunTrial = Callable[[Candidate, int], tuple[int, float]]
"""(candidate, size): returns the characters of a trial, and its seconds."""


def calibrate(
    candidates: Sequence[Candidate],
    run_trial: RunTrial,
    clock: Callable[[], float],
    *,
    seconds_per_candidate: float,
    trial_seconds: float = TRIAL_SECONDS,
    size: int = 1,
) -> Calibration:
    """Run rounds of trials until the time on `clock` is over, or one of several candidates is left.

    `run_trial` may raise.
    """
    calibration = Calibration(size=size, seconds={candidate: [] for candidate in candidates})
    deadline = clock() + seconds_per_candidate * len(candidates)
    remaining, number = list(candidates), 0
    while True:
        began, num_chars = clock(), 0
        for candidate in rotated(remaining, number):
            num_chars, seconds = run_trial(candidate, calibration.size)
            calibration.seconds[candidate].append(seconds)
        calibration.num_chars.append(num_chars)
        remaining = _not_far_behind(calibration.seconds, remaining)
        fastest_seconds = min(calibration.seconds[candidate][-1] for candidate in remaining)
        growth = min(_MAX_GROWTH, max(1, int(trial_seconds / fastest_seconds)))
        number += 1
        is_over = len(remaining) < min(2, len(candidates)) or clock() + growth * (clock() - began) > deadline
        if is_over and number >= MIN_ROUNDS:
            return calibration
        calibration.size *= growth


def _not_far_behind(seconds: dict[Candidate, list[float]], remaining: list[Candidate]) -> list[Candidate]:
    """Return the candidates that are not far behind the fastest.

    One thread never drops out: it can't block itself, so if it is behind, that is a chance delay.
    """
    totals = {candidate: sum(seconds[candidate]) for candidate in remaining}
    most = max(_FAR_BEHIND * min(totals.values()), min(totals.values()) + PATIENCE_SECONDS)
    return [candidate for candidate in remaining if candidate.num_threads == 1 or totals[candidate] < most]


def best_count(calibration: Calibration, in_use: Candidate) -> Candidate:
    """Return the candidate `in_use`, unless one with another number of threads is clearly faster."""
    best = in_use
    for candidate in sorted(calibration.seconds):
        needed = _MORE_THREADS if candidate.num_threads > best.num_threads else _FEWER_THREADS
        if candidate != best and calibration.ratio(candidate, best) > needed:
            best = candidate
    return best


def best_precision(calibration: Calibration) -> Candidate:
    """Return the candidate in float32, unless that in bfloat16 is clearly faster."""
    bfloat16, float32 = sorted(calibration.seconds, key=lambda candidate: candidate.precision)
    return bfloat16 if calibration.ratio(bfloat16, float32) > _BFLOAT16 else float32


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What a measurement on the CPU chooses among."""

    counts: tuple[int, ...]
    """Numbers of threads, ascending."""
    precisions: tuple[str, ...]

    @property
    def has_several(self) -> bool:
        """Whether there is more than one candidate."""
        return len(self.counts) > 1 or len(self.precisions) > 1


@dataclass(frozen=True, kw_only=True)
class Fastest:
    """The outcome of a measurement."""

    candidate: Candidate
    ratio: float
    """Its speedup over the candidate that was in use."""
    chars_per_second: float


def fastest(trials: Trials, in_use: Candidate, choices: Choices, seconds_per_candidate: float) -> Fastest:
    """Choose the number of threads in the precision in use, then the precision on so many threads.

    On busy cores the seconds of a trial vary by a third, which is more than most processors gain by bfloat16. So
    precisions are compared in the time that this thread computes, on as much work as the last trials.
    """
    candidates = [replace(in_use, num_threads=count) for count in choices.counts]
    calibration = calibrate(
        candidates, trials.in_seconds, time.perf_counter, seconds_per_candidate=seconds_per_candidate
    )
    best = best_count(calibration, in_use)
    ratio, chars_per_second = calibration.ratio(best, in_use), calibration.chars_per_second(best)
    if len(choices.precisions) > 1:
        before = best
        calibration = calibrate(
            [replace(before, precision=precision) for precision in choices.precisions],
            trials.in_cpu_seconds,
            time.thread_time,
            seconds_per_candidate=seconds_per_candidate,
            trial_seconds=PRECISION_TRIAL_SECONDS,
            size=calibration.size,
        )
        best = best_precision(calibration)
        gain = calibration.ratio(best, before)
        ratio, chars_per_second = gain * ratio, gain * chars_per_second
    return Fastest(candidate=best, ratio=ratio, chars_per_second=chars_per_second)


def median_batch(batches: Sequence[Batch]) -> Batch:
    """Return the batch of median length."""
    return sorted(batches, key=lambda batch: batch.num_targets)[len(batches) // 2]
