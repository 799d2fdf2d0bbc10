"""Choosing threads and precision, on made-up speeds and a fake clock."""

from __future__ import annotations

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
from tests.fakes import FakeClock

ONE, TWO, FOUR = (Candidate(num_threads=number) for number in (1, 2, 4))
BFLOAT16 = Candidate(num_threads=2, precision="bfloat16")
CHARS_OF_SIZE_1 = 128
ALL_CHARS = 2400
"""Characters of a whole batch, the upper limit of a trial."""


class Speeds:
    """Runs trials at made-up speeds, in characters per second, and records them."""

    def __init__(self, speeds: dict[Candidate, float]) -> None:
        self.clock = FakeClock()
        self.trials: list[tuple[Candidate, int]] = []
        self.seconds: list[float] = []
        self._speeds = speeds

    def run_trial(self, candidate: Candidate, number: int, size: int) -> tuple[int, float]:
        self.trials.append((candidate, number))
        num_chars = min(ALL_CHARS, CHARS_OF_SIZE_1 * size)
        seconds = num_chars / self._speeds[candidate]
        self.clock.advance(seconds)
        self.seconds.append(seconds)
        return num_chars, seconds

    def calibrate(self) -> Calibration:
        return calibrate(list(self._speeds), self.run_trial, self.clock)


@pytest.mark.parametrize(
    ("num_cores", "counts"),
    [(1, [1]), (6, [1, 2, 4, 6]), (64, [1, 2, 4, 8])],
)
def test_candidates_are_powers_of_two_and_all_cores_up_to_eight(num_cores: int, counts: list[int]) -> None:
    assert thread_counts(num_cores) == counts


@pytest.mark.parametrize(
    ("speeds", "in_use", "expected"),
    [
        pytest.param({TWO: 108e3, FOUR: 108e3}, ONE, ONE, id="more threads gain little"),
        pytest.param({TWO: 10e3, FOUR: 5e3}, TWO, ONE, id="threads that block each other"),
        pytest.param({TWO: 105e3}, TWO, TWO, id="two in use gain little"),
        pytest.param({TWO: 93e3}, TWO, ONE, id="two in use lose"),
        pytest.param({TWO: 105e3}, ONE, ONE, id="one in use, two gain little"),
        pytest.param({TWO: 125e3}, ONE, TWO, id="one in use, two clearly gain"),
    ],
)
def test_another_number_of_threads_is_chosen_only_if_it_is_clearly_faster(
    speeds: dict[Candidate, float], in_use: Candidate, expected: Candidate
) -> None:
    assert best_count(Speeds({ONE: 100e3, **speeds}).calibrate(), in_use) == expected


@pytest.mark.parametrize(("rate", "expected"), [(110e3, TWO), (120e3, BFLOAT16), (250e3, BFLOAT16), (50e3, TWO)])
def test_bfloat16_is_chosen_only_if_it_is_clearly_faster(rate: float, expected: Candidate) -> None:
    assert best_precision(Speeds({TWO: 100e3, BFLOAT16: rate}).calibrate()) == expected


def test_trials_are_repeated_and_long_enough_to_be_reliable() -> None:
    speeds = Speeds({ONE: 50e3, TWO: 60e3})

    speeds.calibrate()

    assert speeds.seconds[-1] >= TRIAL_SECONDS / 2
    assert len(speeds.trials) >= 2 * MIN_ROUNDS
    assert 2 * SECONDS_PER_CANDIDATE / 2 <= speeds.clock.now <= 2 * SECONDS_PER_CANDIDATE


def test_slow_trials_run_at_least_four_rounds() -> None:
    speeds = Speeds({ONE: 500.0, TWO: 600.0})

    speeds.calibrate()

    assert len(speeds.trials) == 2 * MIN_ROUNDS


def test_threads_that_block_each_other_drop_out_after_one_trial() -> None:
    speeds = Speeds({ONE: 100e3, TWO: 1e3})

    calibration = speeds.calibrate()

    assert speeds.trials == [(ONE, 0), (TWO, 0)]
    assert speeds.clock.now < 0.2
    assert best_count(calibration, TWO) == ONE


@given(st.lists(st.floats(1e3, 1e7), min_size=1, max_size=8), st.floats(1e-4, 1.0))
def test_it_ends_in_time_or_after_the_fewest_rounds_and_never_chooses_a_slower_candidate(
    rates: list[float], share: float
) -> None:
    speeds = Speeds({Candidate(num_threads=1 + number): rate * share for number, rate in enumerate(rates)})

    calibration = speeds.calibrate()

    is_in_time = speeds.clock.now <= SECONDS_PER_CANDIDATE * len(rates) + 1e-6
    assert is_in_time or speeds.trials[-1][1] < MIN_ROUNDS
    assert calibration.ratio(best_count(calibration, ONE), ONE) >= 1.0
