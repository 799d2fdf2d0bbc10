"""Which of several ways to compute is the fastest here and now: measured in short turns, and a choice that is careful.

A way is a number of threads and a precision. The fastest number of threads can't be known beforehand: two threads on
two idle cores do up to 1.6 times the work of one, but where another process keeps one of the cores busy they do a
tenth of it or less, because each waits for the other at the end of every product. So all ways take turns at the same
work, which grows from very little, and who falls behind is out at once; more threads are taken only where they are
clearly faster. Knows no torch and no model.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

MAX_THREADS = 8
"""A step of this size of model gains nothing from more."""
TURN_SECONDS = 0.03
"""Turns are made longer, round by round, until they take about this long."""
SECONDS_PER_CANDIDATE = 0.12
MAX_SECONDS = 0.6
"""Of all turns together, unless the first ones alone take longer."""
PATIENCE_SECONDS = 0.05
"""Several threads that are so far behind the fastest, and by `_FAR_BEHIND` times, get no further turn."""
_FAR_BEHIND = 1.5
_MORE_THREADS, _FEWER_THREADS = 1.1, 1.05
"""How many times as fast more, or fewer, threads must be to be taken in place of those in use."""
_BFLOAT16 = 1.15


@dataclass(frozen=True, kw_only=True, order=True)
class Candidate:
    """A way to compute a step."""

    num_threads: int
    precision: str = "float32"


_Contender = TypeVar("_Contender", bound=Hashable)
TakeTurn = Callable[[Candidate, int, int], int]
"""(way, round, size): does that round's work of that size, and returns how many characters it was."""


@dataclass(kw_only=True)
class Calibration:
    """What was measured: each way's seconds, round by round, at the same work as everybody else's."""

    num_chars: list[int] = field(default_factory=list)
    """Of each round."""
    seconds: dict[Candidate, list[float]] = field(default_factory=dict)
    """Who was given up has fewer rounds."""

    def ratio(self, way: Candidate, other: Candidate) -> float:
        """Return how many times as fast `way` is as `other`, in the rounds that both were in.

        It is the smaller one of what all these rounds say together and what their longer half says at the median:
        a chance delay of `other` makes no way fast, and rare but long delays of `way` count in full.
        """
        pairs = list(zip(self.seconds[other], self.seconds[way], strict=False))
        others, own = np.array(pairs).T
        usual = np.median((others / own)[len(pairs) // 2 :])
        return float(min(others.sum() / own.sum(), usual))

    def least_seconds_per_char(self, way: Candidate) -> float:
        """Return the seconds that a character took in the way's best round."""
        return min(own / num_chars for own, num_chars in zip(self.seconds[way], self.num_chars, strict=False))

    def chars_per_second(self, way: Candidate) -> float:
        """Return what a way did in a second."""
        own = self.seconds[way]
        return sum(self.num_chars[: len(own)]) / sum(own)


def thread_counts(num_cores: int) -> list[int]:
    """Return the numbers of threads that are worth a try on that many cores: 1, 2, 4 and so on, and all of them."""
    most = min(num_cores, MAX_THREADS)
    return sorted({2**power for power in range(most.bit_length())} | {most})


def threads_label(num_threads: int) -> str:
    """Return a number of threads in words."""
    return f"{num_threads} thread{'' if num_threads == 1 else 's'}"


def time_round(
    contenders: Sequence[_Contender],
    number: int,
    take_turn: Callable[[_Contender], int],
    clock: Callable[[], float],
    on_turn: Callable[[_Contender], object] = lambda _: None,
) -> dict[_Contender, tuple[int, float]]:
    """Let each contender take a turn, each round beginning with another one; return amount and seconds of each.

    `on_turn` hears of a turn before its time begins.
    """
    first = number % len(contenders)
    taken = {}
    for contender in (*contenders[first:], *contenders[:first]):
        on_turn(contender)
        began = clock()
        amount = take_turn(contender)
        taken[contender] = amount, max(clock() - began, 1e-9)
    return taken


def calibrate(ways: Sequence[Candidate], take_turn: TakeTurn, clock: Callable[[], float]) -> Calibration:
    """Let `ways` take turns until it is known who is fast, or time is up. `take_turn` may raise to end it.

    When only one is left, that is known, and it ends.
    """
    calibration = Calibration(seconds={way: [] for way in ways})
    deadline = clock() + min(MAX_SECONDS, SECONDS_PER_CANDIDATE * len(ways))
    still_in, size, number = list(ways), 1, 0
    while True:
        taken = time_round(still_in, number, lambda way: take_turn(way, number, size), clock)  # noqa: B023 - called at once
        for way, (_, seconds) in taken.items():
            calibration.seconds[way].append(seconds)
        num_chars, _ = taken[still_in[0]]
        calibration.num_chars.append(num_chars)
        still_in = _not_far_behind(calibration.seconds, still_in)
        growth = 2 if min(calibration.seconds[way][-1] for way in still_in) < TURN_SECONDS / 2 else 1
        next_seconds = growth * num_chars * sum(calibration.least_seconds_per_char(way) for way in still_in)
        if len(still_in) == 1 or clock() + next_seconds > deadline:
            return calibration
        size *= growth
        number += 1


def _not_far_behind(seconds: dict[Candidate, list[float]], still_in: list[Candidate]) -> list[Candidate]:
    """Return those of the ways that have not fallen far behind the fastest of them.

    One thread stays: it is never in its own way, and a chance delay must not decide about it.
    """
    totals = {way: sum(seconds[way]) for way in still_in}
    most = max(_FAR_BEHIND * min(totals.values()), min(totals.values()) + PATIENCE_SECONDS)
    return [way for way in still_in if way.num_threads == 1 or totals[way] < most]


def best_candidate(calibration: Calibration, in_use: Candidate | None = None) -> Candidate:
    """Return the way to take: few threads unless more are clearly faster, bfloat16 only where it clearly is.

    The way `in_use`, if any, is left only for one that is clearly faster, and its precision is kept.
    """
    ways = sorted(calibration.seconds)
    if in_use is not None:
        return _best_count(calibration, [way for way in ways if way.precision == in_use.precision], in_use)
    by_precision = {
        precision: [way for way in ways if way.precision == precision]
        for precision in sorted({way.precision for way in ways}, reverse=True)
    }
    best, *others = (_best_count(calibration, own, own[0]) for own in by_precision.values())
    return next((other for other in others if calibration.ratio(other, best) > _BFLOAT16), best)


def _best_count(calibration: Calibration, ways: list[Candidate], holder: Candidate) -> Candidate:
    """Return the one of `ways`, fewest threads first, that is enough faster for `holder` to give way to it."""
    for way in ways:
        needed = _MORE_THREADS if way.num_threads > holder.num_threads else _FEWER_THREADS
        if way != holder and calibration.ratio(way, holder) > needed:
            holder = way
    return holder
