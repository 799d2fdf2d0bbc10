"""Measures which candidate, a number of threads and a precision, trains fastest on this machine right now.

The best number of threads can't be known in advance: two threads on two idle cores do up to 1.6 times the work of one,
but while another process occupies a core they do a tenth of it or less, since each waits for the other at the end of
every matrix product. So the candidates run short interleaved trials of the same work, starting very small; slow ones
drop out early, and more threads must be clearly faster to be chosen. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

MAX_THREADS = 8
"""Largest candidate; bounds the time spent measuring."""
TRIAL_SECONDS = 0.03
"""The work of a trial doubles from round to round until it takes about this long."""
SECONDS_PER_CANDIDATE = 0.12
MAX_SECONDS = 0.6
"""Limit of all trials together, unless the first round alone takes longer."""
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


RunTrial = Callable[[Candidate, int, int], int]
"""(candidate, round, size): processes that round's batch at that size; returns the number of characters."""


@dataclass(kw_only=True)
class Calibration:
    """The measured seconds of each candidate, round by round, on the same work."""

    num_chars: list[int] = field(default_factory=list)
    """Characters processed in each round."""
    seconds: dict[Candidate, list[float]] = field(default_factory=dict)
    """A candidate that dropped out has fewer rounds."""

    def ratio(self, candidate: Candidate, other: Candidate) -> float:
        """Return the speedup of `candidate` over `other` in the rounds that both ran.

        It is the smaller of the speedup over all those rounds and the median over the later half: a chance delay of
        `other` does not make `candidate` fast, and rare but long delays of `candidate` count in full.
        """
        pairs = list(zip(self.seconds[other], self.seconds[candidate], strict=False))
        others, own = np.array(pairs).T
        median = np.median((others / own)[len(pairs) // 2 :])
        return float(min(others.sum() / own.sum(), median))

    def least_seconds_per_char(self, candidate: Candidate) -> float:
        """Return the seconds per character of the candidate's fastest round."""
        own = self.seconds[candidate]
        return min(seconds / num_chars for seconds, num_chars in zip(own, self.num_chars, strict=False))

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


_Variant = TypeVar("_Variant", bound=Hashable)


def time_round(
    variants: Sequence[_Variant],
    number: int,
    run_trial: Callable[[_Variant], int],
    clock: Callable[[], float],
    on_trial: Callable[[_Variant], object] = lambda _: None,
) -> dict[_Variant, tuple[int, float]]:
    """Run one trial of each variant and return each one's amount of work and seconds.

    Each round starts with another variant. `on_trial` is called before each trial, outside its time.
    """
    first = number % len(variants)
    timed = {}
    for variant in (*variants[first:], *variants[:first]):
        on_trial(variant)
        began = clock()
        amount = run_trial(variant)
        timed[variant] = amount, max(clock() - began, 1e-9)
    return timed


def calibrate(candidates: Sequence[Candidate], run_trial: RunTrial, clock: Callable[[], float]) -> Calibration:
    """Run rounds of trials until one candidate is left or the time is over. `run_trial` may raise to abort."""
    calibration = Calibration(seconds={candidate: [] for candidate in candidates})
    deadline = clock() + min(MAX_SECONDS, SECONDS_PER_CANDIDATE * len(candidates))
    remaining, size, number = list(candidates), 1, 0
    while True:
        timed = time_round(remaining, number, lambda candidate: run_trial(candidate, number, size), clock)  # noqa: B023 - called at once
        for candidate, (_, seconds) in timed.items():
            calibration.seconds[candidate].append(seconds)
        num_chars, _ = timed[remaining[0]]
        calibration.num_chars.append(num_chars)
        remaining = _not_far_behind(calibration.seconds, remaining)
        growth = 2 if min(calibration.seconds[candidate][-1] for candidate in remaining) < TRIAL_SECONDS / 2 else 1
        next_seconds = growth * num_chars * sum(map(calibration.least_seconds_per_char, remaining))
        if len(remaining) == 1 or clock() + next_seconds > deadline:
            return calibration
        size *= growth
        number += 1


def _not_far_behind(seconds: dict[Candidate, list[float]], remaining: list[Candidate]) -> list[Candidate]:
    """Return the candidates that are not far behind the fastest.

    One thread never drops out: it can't block itself, so if it is behind, that is a chance delay.
    """
    totals = {candidate: sum(seconds[candidate]) for candidate in remaining}
    most = max(_FAR_BEHIND * min(totals.values()), min(totals.values()) + PATIENCE_SECONDS)
    return [candidate for candidate in remaining if candidate.num_threads == 1 or totals[candidate] < most]


def best_candidate(calibration: Calibration, in_use: Candidate | None = None) -> Candidate:
    """Return the candidate to train with: fewest threads and float32 unless another one is clearly faster.

    With a candidate `in_use`, its precision is kept, and it is replaced only by one that is clearly faster.
    """
    candidates = sorted(calibration.seconds)
    if in_use is not None:
        return _best_count(calibration, [own for own in candidates if own.precision == in_use.precision], in_use)
    by_precision = {
        precision: [candidate for candidate in candidates if candidate.precision == precision]
        for precision in sorted({candidate.precision for candidate in candidates}, reverse=True)
    }
    best, *others = (_best_count(calibration, own, own[0]) for own in by_precision.values())
    return next((other for other in others if calibration.ratio(other, best) > _BFLOAT16), best)


def _best_count(calibration: Calibration, candidates: list[Candidate], best: Candidate) -> Candidate:
    """Return `best`, replaced by each of `candidates` (fewest threads first) that is sufficiently faster."""
    for candidate in candidates:
        needed = _MORE_THREADS if candidate.num_threads > best.num_threads else _FEWER_THREADS
        if candidate != best and calibration.ratio(candidate, best) > needed:
            best = candidate
    return best
