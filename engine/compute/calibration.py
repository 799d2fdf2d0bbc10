"""Measures which candidate, a number of threads and a precision, trains fastest on this machine right now.

Neither can be known in advance: two threads on idle cores do up to 1.6 times the work of one, and less than one while
other processes occupy the cores; bfloat16 gains a factor of 2 on one processor and nothing on another. So candidates
run interleaved trials of the same work, starting very small; slow ones drop out early, and another candidate must be
clearly faster than the one in use. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

MAX_THREADS = 8
"""Largest candidate; bounds the time spent measuring."""
TRIAL_SECONDS = 0.04
"""The work of a trial doubles from round to round until it takes about this long."""
SECONDS_PER_CANDIDATE = 0.35
"""Limit of all trials together, divided by the number of candidates, unless `MIN_ROUNDS` take longer."""
MIN_ROUNDS = 4
PATIENCE_SECONDS = 0.05
"""A candidate with several threads drops out once it is this far behind the fastest, and `_FAR_BEHIND` times slower."""
_FAR_BEHIND = 1.5
_MORE_THREADS, _FEWER_THREADS = 1.1, 1.05
"""Speedup at which more, or fewer, threads replace those in use."""
_BFLOAT16 = 1.15
"""Speedup at which bfloat16 replaces float32."""


@dataclass(frozen=True, kw_only=True, order=True)
class Candidate:
    """One way to compute a step."""

    num_threads: int
    precision: str = "float32"


RunTrial = Callable[[Candidate, int, int], tuple[int, float]]
"""(candidate, round, size): processes that round's batch at that size; returns its characters and the seconds."""


@dataclass(kw_only=True)
class Calibration:
    """The measured seconds of each candidate, round by round, on the same work."""

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
        """Return the mean speed over all rounds of the candidate."""
        own = self.seconds[candidate]
        return sum(self.num_chars[: len(own)]) / sum(own)


def thread_counts(num_cores: int) -> list[int]:
    """Return the candidate numbers of threads for so many cores: the powers of two, and all cores."""
    most = min(num_cores, MAX_THREADS)
    return sorted({2**power for power in range(most.bit_length())} | {most})


def threads_label(num_threads: int) -> str:
    """Return "1 thread", "2 threads" and so on."""
    return f"{num_threads} thread{'' if num_threads == 1 else 's'}"


_Variant = TypeVar("_Variant")


def rotated(variants: Sequence[_Variant], number: int) -> list[_Variant]:
    """Return the order of `variants` in round `number`: each round starts with another one."""
    first = number % len(variants)
    return [*variants[first:], *variants[:first]]


def calibrate(candidates: Sequence[Candidate], run_trial: RunTrial, clock: Callable[[], float]) -> Calibration:
    """Run rounds of trials until one candidate is left or the time is over. `run_trial` may raise to abort."""
    calibration = Calibration(seconds={candidate: [] for candidate in candidates})
    deadline = clock() + SECONDS_PER_CANDIDATE * len(candidates)
    remaining, size, number = list(candidates), 1, 0
    while True:
        began, num_chars = clock(), 0
        for candidate in rotated(remaining, number):
            num_chars, seconds = run_trial(candidate, number, size)
            calibration.seconds[candidate].append(seconds)
        calibration.num_chars.append(num_chars)
        remaining = _not_far_behind(calibration.seconds, remaining)
        growth = 2 if min(calibration.seconds[candidate][-1] for candidate in remaining) < TRIAL_SECONDS / 2 else 1
        number += 1
        is_over = clock() + growth * (clock() - began) > deadline
        if len(remaining) == 1 or (is_over and number >= MIN_ROUNDS):
            return calibration
        size *= growth


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
