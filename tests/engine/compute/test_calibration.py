"""Choosing threads and precision, on made-up speeds and a fake clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compute.calibration import MAX_SECONDS, Calibration, Candidate, best_candidate, calibrate, thread_counts
from tests.fakes import FakeClock

ONE, TWO, FOUR = (Candidate(num_threads=number) for number in (1, 2, 4))
BFLOAT16_ONE, BFLOAT16_TWO = (Candidate(num_threads=number, precision="bfloat16") for number in (1, 2))
CHARS_OF_SIZE_1 = 128
ALL_CHARS = 2400
"""Characters of a whole batch, the upper limit of a trial."""


class Speeds:
    """Runs trials at made-up speeds, in characters per second, and records them."""

    def __init__(self, speeds: dict[Candidate, float]) -> None:
        self.clock = FakeClock()
        self.trials: list[tuple[Candidate, int]] = []
        self._speeds = speeds

    def run_trial(self, candidate: Candidate, number: int, size: int) -> int:
        self.trials.append((candidate, number))
        num_chars = min(ALL_CHARS, CHARS_OF_SIZE_1 * size)
        self.clock.advance(num_chars / self._speeds[candidate])
        return num_chars

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
        pytest.param({TWO: 108e3, FOUR: 108e3}, None, ONE, id="more threads gain little"),
        pytest.param({TWO: 10e3, FOUR: 5e3}, None, ONE, id="threads that block each other"),
        pytest.param({TWO: 140e3, BFLOAT16_ONE: 120e3, BFLOAT16_TWO: 150e3}, None, TWO, id="bfloat16 gains little"),
        pytest.param({TWO: 140e3, BFLOAT16_ONE: 200e3, BFLOAT16_TWO: 190e3}, None, BFLOAT16_ONE, id="bfloat16 gains"),
        pytest.param({TWO: 105e3}, TWO, TWO, id="two in use gain little"),
        pytest.param({TWO: 93e3}, TWO, ONE, id="two in use lose"),
        pytest.param({TWO: 105e3}, ONE, ONE, id="one in use, two gain little"),
        pytest.param({TWO: 125e3}, ONE, TWO, id="one in use, two clearly gain"),
    ],
)
def test_another_candidate_is_chosen_only_if_it_is_clearly_faster(
    speeds: dict[Candidate, float], in_use: Candidate | None, expected: Candidate
) -> None:
    assert best_candidate(Speeds({ONE: 100e3, **speeds}).calibrate(), in_use) == expected


def test_threads_that_block_each_other_drop_out_after_one_trial() -> None:
    speeds = Speeds({ONE: 100e3, TWO: 1e3})

    calibration = speeds.calibrate()

    assert speeds.trials == [(ONE, 0), (TWO, 0)]
    assert speeds.clock.now < 0.2
    assert best_candidate(calibration) == ONE


@given(
    st.lists(st.floats(1e3, 1e7), min_size=1, max_size=8),
    st.floats(1e-4, 1.0),
)
def test_it_ends_in_time_or_after_the_first_round_and_never_chooses_a_slower_candidate(
    rates: list[float], share: float
) -> None:
    speeds = Speeds({Candidate(num_threads=1 + number): rate * share for number, rate in enumerate(rates)})
    least = min(rates) * share

    calibration = speeds.calibrate()

    first_round = len(rates) * CHARS_OF_SIZE_1 / least
    assert speeds.clock.now <= max(MAX_SECONDS, first_round) + 1e-6 or speeds.trials[-1][1] <= 1
    assert calibration.ratio(best_candidate(calibration), ONE) >= 1.0
