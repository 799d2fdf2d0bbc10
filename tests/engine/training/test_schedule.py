"""The learning rate: a warm-up, then constant, a cosine to a twentieth, or a cooldown at the end of the budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.run import Schedule, TrainingConfig
from engine.training.schedule import COOLDOWN_SHARE, budget_used, exhausted_budget, learning_rate_at

PEAK = 0.004


def test_the_warmup_rises_linearly_and_reaches_the_peak_at_its_last_step() -> None:
    config = TrainingConfig(learning_rate=PEAK, warmup_steps=4)

    rates = [learning_rate_at(config, step, None) for step in range(6)]

    assert rates == pytest.approx([PEAK / 4, PEAK / 2, PEAK * 3 / 4, PEAK, PEAK, PEAK])


def test_the_cosine_starts_at_the_peak_is_at_the_mean_halfway_and_ends_at_a_twentieth() -> None:
    config = TrainingConfig(learning_rate=PEAK, schedule="cosine", max_steps=1000)

    assert learning_rate_at(config, 0, 0.0) == pytest.approx(PEAK)
    assert learning_rate_at(config, 500, 0.5) == pytest.approx(PEAK * (1 + 0.05) / 2)
    assert learning_rate_at(config, 1000, 1.0) == pytest.approx(PEAK / 20)


def test_the_cooldown_is_constant_until_its_last_part_and_ends_at_zero() -> None:
    config = TrainingConfig(learning_rate=PEAK, schedule="cooldown", max_steps=1000)
    begin = 1 - COOLDOWN_SHARE

    assert [learning_rate_at(config, 0, progress) for progress in (0.0, 0.5, begin)] == [PEAK] * 3
    assert learning_rate_at(config, 0, begin + COOLDOWN_SHARE / 4) == pytest.approx(PEAK / 2)
    assert 0 < learning_rate_at(config, 999, 0.999) < PEAK / 500
    assert learning_rate_at(config, 1000, 1.0) == 0


@pytest.mark.parametrize("schedule", ["cosine", "cooldown"])
def test_without_a_budget_every_schedule_is_constant(schedule: Schedule) -> None:
    config = TrainingConfig(learning_rate=PEAK, schedule=schedule)

    assert learning_rate_at(config, 10_000, budget_used(config, 10_000, 3.0, 60.0)) == PEAK


@given(step=st.integers(0, 10**6), progress=st.floats(0, 2) | st.none(), warmup_steps=st.integers(0, 1000))
def test_the_rate_is_always_positive_and_at_most_the_peak(step: int, progress: float | None, warmup_steps: int) -> None:
    config = TrainingConfig(learning_rate=PEAK, schedule="cosine", warmup_steps=warmup_steps)

    assert 0 < learning_rate_at(config, step, progress) <= PEAK * (1 + 1e-12)


def test_the_schedule_follows_the_budget_that_is_used_most() -> None:
    config = TrainingConfig(max_steps=100, epochs=2.0, max_seconds=50.0)

    assert budget_used(config, 10, 1.0, 5.0) == 0.5
    assert exhausted_budget(config, 10, 1.0, 5.0) is None
    assert exhausted_budget(config, 10, 2.0, 5.0) == "epochs"
    assert exhausted_budget(config, 10, 1.0, 50.0) == "max_seconds"
    assert exhausted_budget(config, 100, 1.0, 5.0) == "max_steps"
    assert budget_used(config, 500, 1.0, 5.0) == 1.0
