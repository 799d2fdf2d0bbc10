"""When the number of threads is measured again, on made-up step speeds."""

from __future__ import annotations

from itertools import count

import pytest

from engine.compute.slowdown_detector import (
    MAX_LOW_WINDOWS,
    MIN_CHECK_SECONDS,
    MIN_DROP_SECONDS,
    WINDOW_SECONDS,
    SlowdownDetector,
)

MEASURED = 100_000.0
STEP_SECONDS = 0.05


def measured_detector() -> SlowdownDetector:
    """Return a detector after the first measurement."""
    detector = SlowdownDetector()
    detector.restart(MEASURED, has_changed=True)
    return detector


def train(detector: SlowdownDetector, rate: float, seconds: float = 1e9) -> float:
    """Run steps at `rate` characters per second until it is time to measure; return the seconds until then."""
    for number in count():
        if detector.should_measure or number * STEP_SECONDS >= seconds:
            return number * STEP_SECONDS
        detector.add_step(STEP_SECONDS, round(rate * STEP_SECONDS))
    raise AssertionError


def test_a_collapse_of_the_speed_is_detected_within_seconds() -> None:
    detector = measured_detector()
    train(detector, 80_000, seconds=8)

    assert train(detector, 8_000) <= (MAX_LOW_WINDOWS + 1) * WINDOW_SECONDS
    assert detector.has_dropped


@pytest.mark.parametrize("share", [0.72, 0.9, 1.0, 1.5])
def test_a_whole_step_may_be_slower_than_the_measured_passes(share: float) -> None:
    detector = measured_detector()
    assert train(detector, share * MEASURED) >= MIN_CHECK_SECONDS
    assert not detector.has_dropped


def test_a_short_dip_is_no_slowdown() -> None:
    detector = measured_detector()
    for _ in range(2):
        train(detector, 90_000, seconds=4)
        train(detector, 5_000, seconds=WINDOW_SECONDS)
        train(detector, 90_000, seconds=2 * WINDOW_SECONDS)
    assert not detector.should_measure


def test_the_wait_doubles_while_measuring_changes_nothing() -> None:
    detector = measured_detector()
    waits = []
    for _ in range(4):
        waits.append(train(detector, 8_000))
        assert detector.has_dropped
        detector.restart(MEASURED, has_changed=False)

    assert waits[0] <= (MAX_LOW_WINDOWS + 1) * WINDOW_SECONDS
    expected = [MIN_DROP_SECONDS, 2 * MIN_DROP_SECONDS, 4 * MIN_DROP_SECONDS]
    assert waits[1:] == pytest.approx(expected, abs=WINDOW_SECONDS + STEP_SECONDS)
