"""Contenders take short turns at the same work; what is told of them is medians over the rounds.

A shared machine is fast in one second and slow in the next. So no two contenders are compared but within a round,
where all do the same work one after another, and a figure is the median of what the rounds say. The rounds begin with
another contender each time. A comparison is whole or left out: where not even one round fits into the time, there are
no figures. Knows no torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.compute.calibration import time_round

Clock = Callable[[], float]
Rates = dict[str, list[float]]
"""What each contender did a second, one figure a round from the first on, by its name."""
MAX_TURN_SHARE = 0.1


@dataclass(frozen=True)
class Contender:
    """Somebody who does the work of a round."""

    name: str
    take_turn: Callable[[int], int]
    """Does the work of the round of that number and returns how much it was: characters, or tweets."""


class TimeUpError(Exception):
    """There is no time left for one whole round."""


def alternate(
    contenders: Sequence[Contender], seconds: float, clock: Clock, on_turn: Callable[[str], None], end: float = math.inf
) -> Rates:
    """Return what each did a second in every round that fits into `seconds`; there is always one.

    Who takes more than `MAX_TURN_SHARE` of the time for one turn does not come to another, so that the others do.
    `on_turn` is told each turn before it is taken. Raises `TimeUpError` if the clock passes `end` in the first round.
    """
    deadline = clock() + seconds
    rates: Rates = {contender.name: [] for contender in contenders}
    still_in = list(contenders)
    number, round_seconds = 0, 0.0

    def before_turn(contender: Contender) -> None:
        if number == 0 and clock() > end:
            raise TimeUpError
        on_turn(f"round {number + 1}, {contender.name}")

    while number == 0 or (still_in and clock() + round_seconds <= deadline):
        taken = time_round(still_in, number, lambda contender: contender.take_turn(number), clock, before_turn)  # noqa: B023 - called at once
        for contender, (amount, duration) in taken.items():
            rates[contender.name].append(amount / duration)
        still_in = [contender for contender in still_in if taken[contender][1] <= MAX_TURN_SHARE * seconds]
        round_seconds = sum(taken[contender][1] for contender in still_in)
        number += 1
    return rates


def warm_up(
    contenders: Sequence[Contender], number: int, clock: Clock, on_turn: Callable[[str], None], end: float
) -> list[float]:
    """Let each take a turn that does not count, of the round of that number; return the seconds that they took.

    Raises `TimeUpError` where the clock passes `end`, or would in one more such round.
    """
    seconds = []
    for contender in contenders:
        if clock() > end:
            raise TimeUpError
        on_turn(f"warming up, {contender.name}")
        began = clock()
        contender.take_turn(number)
        seconds.append(clock() - began)
    if clock() + sum(seconds) > end:
        raise TimeUpError
    return seconds


def median_rate(rates: Sequence[float]) -> float:
    """Return what a contender did a second in a usual round."""
    return float(np.median(rates))


def median_ratio(rates: Sequence[float], reference: Sequence[float]) -> float:
    """Return how many times as fast as the reference a contender was in a usual one of the rounds that both were in."""
    return float(np.median([own / others for own, others in zip(rates, reference, strict=False)]))


def spread(rates: Sequence[float]) -> float:
    """Return how far apart the middle half of the rounds lies, as a share of the median; 0 of one round."""
    lower, upper = np.percentile(rates, [25, 75])
    return float((upper - lower) / np.median(rates))


def fastest(rates: Rates, path: str) -> list[float]:
    """Return the rates of those whose name is `path`, alone or with what follows a comma, that did most."""
    return max((own for name, own in rates.items() if name.partition(",")[0] == path), key=median_rate)
