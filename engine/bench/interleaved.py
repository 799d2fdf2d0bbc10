"""Interleaved measurement: variants run short trials of the same work in turn; figures are medians over the rounds.

The speed of a shared machine changes from second to second. So variants are compared only within a round, in which all
do the same work one after another, and each round starts with another variant. A comparison is complete or skipped: if
not even one round fits into the time, there are no figures. Imports no torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from engine.compute.calibration import rotated

Clock = Callable[[], float]
Rates = dict[str, list[float]]
"""Work per second in each round from the first on, by the variant's name."""
MAX_TRIAL_SHARE = 0.1


@dataclass(frozen=True)
class Variant:
    """One of the implementations that are compared."""

    name: str
    run_trial: Callable[[int], int]
    """Does the work of the round of that number; returns its amount, in characters or tweets."""


_Variant = TypeVar("_Variant", bound=Hashable)


class TimeUpError(Exception):
    """Not even one round fits into the time."""


def time_round(
    variants: Sequence[_Variant],
    number: int,
    run_trial: Callable[[_Variant], int],
    clock: Clock,
    on_trial: Callable[[_Variant], object],
) -> dict[_Variant, tuple[int, float]]:
    """Run one trial of each variant and return each one's amount of work and seconds.

    `on_trial` is called before each trial, outside its time.
    """
    timed = {}
    for variant in rotated(variants, number):
        on_trial(variant)
        began = clock()
        amount = run_trial(variant)
        timed[variant] = amount, max(clock() - began, 1e-9)
    return timed


def run_interleaved(
    variants: Sequence[Variant], seconds: float, clock: Clock, on_trial: Callable[[str], None], end: float = math.inf
) -> Rates:
    """Run as many rounds as fit into `seconds`, at least one, and return the rates.

    A variant whose trial takes more than `MAX_TRIAL_SHARE` of the time runs no further trial, to leave time for the
    others. `on_trial` is called before each trial. Raises `TimeUpError` if the clock passes `end` in the first round.
    """
    deadline = clock() + seconds
    rates: Rates = {variant.name: [] for variant in variants}
    remaining = list(variants)
    number, round_seconds = 0, 0.0

    def before_trial(variant: Variant) -> None:
        if number == 0 and clock() > end:
            raise TimeUpError
        on_trial(f"round {number + 1}, {variant.name}")

    while number == 0 or (remaining and clock() + round_seconds <= deadline):
        timed = time_round(remaining, number, lambda variant: variant.run_trial(number), clock, before_trial)  # noqa: B023 - called at once
        for variant, (amount, duration) in timed.items():
            rates[variant.name].append(amount / duration)
        remaining = [variant for variant in remaining if timed[variant][1] <= MAX_TRIAL_SHARE * seconds]
        round_seconds = sum(timed[variant][1] for variant in remaining)
        number += 1
    return rates


def warm_up(
    variants: Sequence[Variant], number: int, clock: Clock, on_trial: Callable[[str], None], end: float
) -> list[float]:
    """Run one trial of each variant, with that round number, outside the measurement; return their seconds.

    Raises `TimeUpError` if the clock passes `end`, or would in one more such round.
    """
    seconds = []
    for variant in variants:
        if clock() > end:
            raise TimeUpError
        on_trial(f"warming up, {variant.name}")
        began = clock()
        variant.run_trial(number)
        seconds.append(clock() - began)
    if clock() + sum(seconds) > end:
        raise TimeUpError
    return seconds


def median_rate(rates: Sequence[float]) -> float:
    """Return the median over the rounds."""
    return float(np.median(rates))


def median_ratio(rates: Sequence[float], reference: Sequence[float]) -> float:
    """Return the median speedup over the reference, in the rounds that both ran."""
    return float(np.median([own / others for own, others in zip(rates, reference, strict=False)]))


def spread(rates: Sequence[float]) -> float:
    """Return the interquartile range as a share of the median; 0 for a single round."""
    lower, upper = np.percentile(rates, [25, 75])
    return float((upper - lower) / np.median(rates))


def fastest(rates: Rates, path: str) -> list[float]:
    """Return the rates of the fastest variant whose name up to the first comma is `path`."""
    return max((own for name, own in rates.items() if name.partition(",")[0] == path), key=median_rate)
