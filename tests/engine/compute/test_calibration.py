"""The choice between ways to compute, on made-up speeds and a clock that is set by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compute.calibration import MAX_SECONDS, Calibration, Candidate, best_candidate, calibrate, thread_counts
from tests.fakes import FakeClock

ONE, TWO, FOUR = (Candidate(num_threads=number) for number in (1, 2, 4))
ROUGH_ONE, ROUGH_TWO = (Candidate(num_threads=number, precision="bfloat16") for number in (1, 2))
CHARS_OF_SIZE_1 = 128
ALL_CHARS = 2400
"""Of a whole batch: no turn is longer."""


class Speeds:
    """Takes turns at made-up speeds, in characters a second, and keeps a record of them."""

    def __init__(self, speeds: dict[Candidate, float]) -> None:
        self.clock = FakeClock()
        self.turns: list[tuple[Candidate, int]] = []
        self._speeds = speeds

    def take_turn(self, way: Candidate, number: int, size: int) -> int:
        self.turns.append((way, number))
        num_chars = min(ALL_CHARS, CHARS_OF_SIZE_1 * size)
        self.clock.advance(num_chars / self._speeds[way])
        return num_chars

    def calibrate(self) -> Calibration:
        return calibrate(list(self._speeds), self.take_turn, self.clock)


@pytest.mark.parametrize(
    ("num_cores", "counts"),
    [(1, [1]), (6, [1, 2, 4, 6]), (64, [1, 2, 4, 8])],
)
def test_tried_are_doublings_of_one_thread_up_to_all_cores_and_never_more_than_eight(
    num_cores: int, counts: list[int]
) -> None:
    assert thread_counts(num_cores) == counts


@pytest.mark.parametrize(
    ("speeds", "in_use", "expected"),
    [
        pytest.param({TWO: 108e3, FOUR: 108e3}, None, ONE, id="more threads are hardly a gain"),
        pytest.param({TWO: 10e3, FOUR: 5e3}, None, ONE, id="in each other's way"),
        pytest.param({TWO: 140e3, ROUGH_ONE: 120e3, ROUGH_TWO: 150e3}, None, TWO, id="bfloat16 is hardly faster"),
        pytest.param({TWO: 140e3, ROUGH_ONE: 200e3, ROUGH_TWO: 190e3}, None, ROUGH_ONE, id="bfloat16 is faster"),
        pytest.param({TWO: 105e3}, TWO, TWO, id="two stay where they gain little"),
        pytest.param({TWO: 93e3}, TWO, ONE, id="two are left where they lose more"),
        pytest.param({TWO: 105e3}, ONE, ONE, id="one stays where two would gain little"),
        pytest.param({TWO: 125e3}, ONE, TWO, id="one is left where two clearly gain"),
    ],
)
def test_another_way_is_taken_only_where_it_is_clearly_faster(
    speeds: dict[Candidate, float], in_use: Candidate | None, expected: Candidate
) -> None:
    assert best_candidate(Speeds({ONE: 100e3, **speeds}).calibrate(), in_use) == expected


def test_threads_in_each_others_way_are_given_up_after_one_turn() -> None:
    speeds = Speeds({ONE: 100e3, TWO: 1e3})

    calibration = speeds.calibrate()

    assert speeds.turns == [(ONE, 0), (TWO, 0)]
    assert speeds.clock.now < 0.2
    assert best_candidate(calibration) == ONE


@given(
    st.lists(st.floats(1e3, 1e7), min_size=1, max_size=8),
    st.floats(1e-4, 1.0),
)
def test_it_takes_less_than_a_second_beyond_the_first_turns_and_never_chooses_what_was_slower(
    rates: list[float], share: float
) -> None:
    speeds = Speeds({Candidate(num_threads=1 + number): rate * share for number, rate in enumerate(rates)})
    least = min(rates) * share

    calibration = speeds.calibrate()

    first_turns = len(rates) * CHARS_OF_SIZE_1 / least
    assert speeds.clock.now <= max(MAX_SECONDS, first_turns) + 1e-6 or speeds.turns[-1][1] <= 1
    assert calibration.ratio(best_candidate(calibration), ONE) >= 1.0
