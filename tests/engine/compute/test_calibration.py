"""Choosing threads and precision on made-up speeds and a fake clock, and when the choice is made again."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compute.calibration import (
    MIN_ROUNDS,
    SECONDS_PER_CANDIDATE,
    TRIAL_SECONDS,
    Calibration,
    Candidate,
    best_count,
    best_precision,
    calibrate,
    thread_counts,
)
from engine.compute.slowdown_detector import (
    MAX_LOW_WINDOWS,
    MIN_CHECK_SECONDS,
    MIN_DROP_SECONDS,
    WINDOW_SECONDS,
    SlowdownDetector,
)
from tests.fakes import FakeClock

ONE, TWO, FOUR = (Candidate(num_threads=number) for number in (1, 2, 4))
BFLOAT16 = Candidate(num_threads=2, precision="bfloat16")


class Speeds:
    """Runs trials at made-up speeds, in characters per second, and records them."""

    def __init__(self, speeds: dict[Candidate, float]) -> None:
        self.clock = FakeClock()
        self.trials: list[tuple[Candidate, int]] = []
        self.seconds: list[float] = []
        self._speeds = speeds

    def run_trial(self, candidate: Candidate, number: int, size: int) -> tuple[int, float]:
        self.trials.append((candidate, number))
        num_chars = min(2400, 128 * size)  # at most a whole batch
        seconds = num_chars / self._speeds[candidate]
        self.clock.advance(seconds)
        self.seconds.append(seconds)
        return num_chars, seconds

    def calibrate(self) -> Calibration:
        return calibrate(list(self._speeds), self.run_trial, self.clock)


def test_candidates_are_powers_of_two_and_all_cores_up_to_eight() -> None:
    assert [thread_counts(cores) for cores in (1, 6, 64)] == [[1], [1, 2, 4, 6], [1, 2, 4, 8]]


@pytest.mark.parametrize(
    ("speeds", "in_use", "expected"),
    [
        pytest.param({TWO: 108e3, FOUR: 108e3}, ONE, ONE, id="more threads gain little"),
        pytest.param({TWO: 10e3, FOUR: 5e3}, TWO, ONE, id="threads that block each other"),
        pytest.param({TWO: 105e3}, TWO, TWO, id="two in use gain little"),
        pytest.param({TWO: 93e3}, TWO, ONE, id="two in use lose"),
        pytest.param({TWO: 125e3}, ONE, TWO, id="one in use, two clearly gain"),
    ],
)
def test_another_number_of_threads_is_chosen_only_if_it_is_clearly_faster(
    speeds: dict[Candidate, float], in_use: Candidate, expected: Candidate
) -> None:
    assert best_count(Speeds({ONE: 100e3, **speeds}).calibrate(), in_use) == expected


@pytest.mark.parametrize(("rate", "expected"), [(110e3, TWO), (120e3, BFLOAT16), (50e3, TWO)])
def test_bfloat16_is_chosen_only_if_it_is_clearly_faster(rate: float, expected: Candidate) -> None:
    assert best_precision(Speeds({TWO: 100e3, BFLOAT16: rate}).calibrate()) == expected


def test_trials_are_repeated_and_long_enough_to_be_reliable() -> None:
    speeds = Speeds({ONE: 50e3, TWO: 60e3})
    speeds.calibrate()
    assert speeds.seconds[-1] >= TRIAL_SECONDS / 2
    assert len(speeds.trials) >= 2 * MIN_ROUNDS
    assert SECONDS_PER_CANDIDATE <= speeds.clock.now <= 2 * SECONDS_PER_CANDIDATE


def test_slow_trials_run_four_rounds_and_threads_that_block_each_other_only_one() -> None:
    slow, blocked = Speeds({ONE: 500.0, TWO: 600.0}), Speeds({ONE: 100e3, TWO: 1e3})
    slow.calibrate()
    blocked.calibrate()
    assert len(slow.trials) == 2 * MIN_ROUNDS
    assert blocked.trials == [(ONE, 0), (TWO, 0)]


@given(st.lists(st.floats(1e3, 1e7), min_size=1, max_size=8), st.floats(1e-4, 1.0))
def test_it_ends_in_time_or_after_the_fewest_rounds_and_never_chooses_a_slower_candidate(
    rates: list[float], share: float
) -> None:
    speeds = Speeds({Candidate(num_threads=1 + number): rate * share for number, rate in enumerate(rates)})

    calibration = speeds.calibrate()

    is_in_time = speeds.clock.now <= SECONDS_PER_CANDIDATE * len(rates) + 1e-6
    assert is_in_time or speeds.trials[-1][1] < MIN_ROUNDS
    assert calibration.ratio(best_count(calibration, ONE), ONE) >= 1.0


# Slowdowns ------------------------------------------------------------------------------------------------------------


MEASURED = 100_000.0
STEP_SECONDS = 0.05


@pytest.fixture
def detector() -> SlowdownDetector:
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


@pytest.mark.parametrize("share", [0.72, 1.5])
def test_a_whole_step_may_be_slower_than_the_measured_passes(detector: SlowdownDetector, share: float) -> None:
    assert train(detector, share * MEASURED) >= MIN_CHECK_SECONDS
    assert not detector.has_dropped


def test_a_short_dip_is_no_slowdown(detector: SlowdownDetector) -> None:
    for _ in range(2):
        train(detector, 90_000, seconds=4)
        train(detector, 5_000, seconds=WINDOW_SECONDS)
        train(detector, 90_000, seconds=2 * WINDOW_SECONDS)
    assert not detector.should_measure


def test_a_collapse_is_detected_within_seconds_and_the_wait_doubles_while_measuring_changes_nothing(
    detector: SlowdownDetector,
) -> None:
    train(detector, 80_000, seconds=8)
    waits = []
    for _ in range(4):
        waits.append(train(detector, 8_000))
        assert detector.has_dropped
        detector.restart(MEASURED, has_changed=False)

    assert waits[0] <= (MAX_LOW_WINDOWS + 1) * WINDOW_SECONDS
    expected = [MIN_DROP_SECONDS, 2 * MIN_DROP_SECONDS, 4 * MIN_DROP_SECONDS]
    assert waits[1:] == pytest.approx(expected, abs=WINDOW_SECONDS + STEP_SECONDS)
