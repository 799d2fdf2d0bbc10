"""When the number of threads is measured again, on made-up speeds."""

from __future__ import annotations

from itertools import count

import pytest

from engine.compute.slowdown_watch import MAX_LOW_WINDOWS, MIN_DROP_SECONDS, MIN_LOOK_SECONDS, WINDOW_SECONDS, StepPace

MEASURED = 100_000.0
STEP_SECONDS = 0.05


def train(pace: StepPace, rate: float, seconds: float = 1e9) -> float:
    """Take steps at that many characters a second until it is time to measure; return the seconds that took."""
    for number in count():
        if pace.should_measure or number * STEP_SECONDS >= seconds:
            return number * STEP_SECONDS
        pace.note(STEP_SECONDS, round(rate * STEP_SECONDS))
    raise AssertionError


def test_a_collapse_is_noticed_within_seconds() -> None:
    pace = StepPace(MEASURED)
    train(pace, 80_000, seconds=8)

    assert train(pace, 8_000) <= (MAX_LOW_WINDOWS + 1) * WINDOW_SECONDS
    assert pace.has_dropped


@pytest.mark.parametrize("share", [0.72, 0.9, 1.0, 1.5])
def test_a_step_that_does_more_than_a_pass_is_no_loss_of_speed(share: float) -> None:
    pace = StepPace(MEASURED)
    assert train(pace, share * MEASURED) >= MIN_LOOK_SECONDS
    assert not pace.has_dropped


def test_a_short_dip_is_no_loss_of_speed() -> None:
    pace = StepPace(MEASURED)
    for _ in range(2):
        train(pace, 90_000, seconds=4)
        train(pace, 5_000, seconds=WINDOW_SECONDS)
        train(pace, 90_000, seconds=2 * WINDOW_SECONDS)
    assert not pace.should_measure


def test_a_loss_of_speed_that_no_number_of_threads_mends_is_measured_less_and_less_often() -> None:
    pace = StepPace(MEASURED)
    waits = []
    for _ in range(4):
        waits.append(train(pace, 8_000))
        assert pace.has_dropped
        pace.restart(MEASURED, has_changed=False)

    assert waits[0] <= (MAX_LOW_WINDOWS + 1) * WINDOW_SECONDS
    expected = [MIN_DROP_SECONDS, 2 * MIN_DROP_SECONDS, 4 * MIN_DROP_SECONDS]
    assert waits[1:] == pytest.approx(expected, abs=WINDOW_SECONDS + STEP_SECONDS)
