"""The law is that of the recorded runs; the best plan follows the measured speeds, the budget and the corpus."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

import pytest

from engine.config.scaling import (
    LAW,
    MEASURED_BATCH_SIZES,
    SIZES,
    Plan,
    Size,
    StepSeconds,
    best_plan,
    learning_rate_of,
)
from tests.auto_law import differences, fit, measured_runs

BATCHES = [(size, first) for size in (16, 32, 64, 128) for first in (0, 8, 16) if first < size]
MILLIONS = 3_400_000
SpeedsOf = Callable[[Size], Sequence[float] | None]


def test_the_law_is_the_one_fitted_to_the_runs_of_the_recipes_and_is_close_to_each() -> None:
    runs = measured_runs()
    assert len(runs) == 24
    assert max(abs(differences(LAW, runs))) < 0.015
    assert asdict(fit(runs)) == pytest.approx(asdict(LAW), rel=0.01)


@pytest.mark.parametrize("speeds", [(96_000, 30_000), (50_000, 49_000), (30_000, 40_000)])
def test_the_seconds_of_a_step_are_those_measured_and_never_fewer_for_more_tweets(speeds: Sequence[float]) -> None:
    steps = StepSeconds.measured(speeds)
    if speeds[0] >= speeds[1]:
        assert [steps.chars_per_second(size) for size in MEASURED_BATCH_SIZES] == pytest.approx(speeds)
    of_sizes = [size / steps.chars_per_second(size) for size in (8, 16, 32, 64, 128)]
    assert sorted(of_sizes) == of_sizes


def machine(speed: float, price: float, *, most: int = 99, too_large: int = 10**9) -> tuple[SpeedsOf, list[Size]]:
    """Return the speeds of a machine, and the sizes that are measured: at most so many, smaller than `too_large`.

    `speed` is that of the smallest model in whole batches; a character in batches of 8 costs `price` times as much.
    """
    measured: list[Size] = []

    def speeds_of(size: Size) -> Sequence[float] | None:
        if len(measured) == most:
            return None
        measured.append(size)
        if size.hidden_size >= too_large:
            return (0.0, 0.0)
        own = speed * (SIZES[0].work / size.work) ** 0.9
        return own, own / price

    return speeds_of, measured


def plan(seconds: float, speed: float, price: float = 1.3, **options: int) -> Plan:
    return best_plan(SIZES, BATCHES, seconds, MILLIONS, machine(speed, price, **options)[0])


def test_more_characters_train_a_larger_model() -> None:
    works = [plan(seconds, 80_000).size.work for seconds in (10, 60, 180, 600, 3600)]
    assert sorted(works) == works
    assert works[0] < works[-1]
    works = [plan(180, speed).size.work for speed in (10_000, 50_000, 200_000, 1_000_000)]
    assert sorted(works) == works
    assert works[0] < works[-1]


def test_batches_are_larger_where_small_ones_are_expensive_and_a_short_run_does_not_begin_with_them() -> None:
    assert plan(600, 100_000, price=3).batch_size > plan(60, 20_000, price=1.02).batch_size
    assert plan(600, 30_000, price=1.05).first_batch_size == 8
    assert plan(60, 100_000, price=4).first_batch_size == 0


def test_only_what_may_be_best_is_measured_and_of_that_as_much_as_there_is_time_for() -> None:
    speeds_of, measured = machine(20_000, 1.3)
    assert best_plan(SIZES, BATCHES, 20, MILLIONS, speeds_of).size == SIZES[0]
    assert len(measured) < len(SIZES)
    speeds_of, measured = machine(1e6, 1.3)
    assert best_plan(SIZES, BATCHES, 3600, MILLIONS, speeds_of).size != SIZES[0]
    assert measured[0] == SIZES[0]
    assert plan(3600, 1e6, most=1).size == SIZES[0]


def test_a_model_that_does_not_fit_is_not_chosen() -> None:
    """The next smaller one is, though it is measured later."""
    speeds_of, measured = machine(1e6, 1.3, too_large=512)
    assert best_plan(SIZES, BATCHES, 3600, MILLIONS, speeds_of).size == Size(384, 2)
    assert measured == [Size(256, 1), Size(512, 2), Size(384, 2)]


def test_of_smaller_models_than_the_candidates_one_of_two_layers_is_a_little_better() -> None:
    one, two, smallest = (LAW.expected_bits(size, 32, 1e7, MILLIONS) for size in (Size(128, 1), Size(128, 2), SIZES[0]))
    assert smallest < two < one < smallest + 0.06


def test_the_rate_grows_with_the_batches_as_far_as_it_was_tried() -> None:
    rates = [learning_rate_of(SIZES[0], batch_size) for batch_size in (8, 32, 128, 512)]
    assert rates == [0.002, 0.004, 0.008, 0.008]
