"""The choice between ways to compute, on made-up speeds and a clock that is set by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.calibration import (
    MAX_SECONDS,
    TURN_SECONDS,
    Calibration,
    Way,
    best_way,
    calibrate,
    thread_counts,
)
from tests.fakes import FakeClock

ONE, TWO, FOUR = (Way(num_threads=number) for number in (1, 2, 4))
ROUGH_ONE, ROUGH_TWO = (Way(num_threads=number, precision="bfloat16") for number in (1, 2))
CHARS_OF_SIZE_1 = 128
ALL_CHARS = 2400
"""Of a whole batch: no turn is longer."""


class Speeds:
    """Takes turns at made-up speeds, in characters a second, and keeps a record of them."""

    def __init__(self, speeds: dict[Way, float], delays: dict[tuple[Way, int], float] | None = None) -> None:
        self.clock = FakeClock()
        self.turns: list[tuple[Way, int]] = []
        self._speeds = speeds
        self._delays = delays or {}

    def take_turn(self, way: Way, number: int, size: int) -> int:
        self.turns.append((way, number))
        num_chars = min(ALL_CHARS, CHARS_OF_SIZE_1 * size)
        self.clock.advance(num_chars / self._speeds[way] + self._delays.get((way, number), 0.0))
        return num_chars

    def calibrate(self) -> Calibration:
        return calibrate(list(self._speeds), self.take_turn, self.clock)


def chosen(speeds: dict[Way, float], in_use: Way | None = None) -> Way:
    return best_way(Speeds(speeds).calibrate(), in_use)


@pytest.mark.parametrize(
    ("num_cores", "counts"),
    [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (4, [1, 2, 4]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8]), (64, [1, 2, 4, 8])],
)
def test_tried_are_doublings_of_one_thread_up_to_all_cores_and_never_more_than_eight(
    num_cores: int, counts: list[int]
) -> None:
    assert thread_counts(num_cores) == counts


@pytest.mark.parametrize(
    ("two", "four", "expected"),
    [
        pytest.param(100e3, 100e3, ONE, id="no gain"),
        pytest.param(108e3, 108e3, ONE, id="hardly a gain"),
        pytest.param(130e3, 130e3, TWO, id="two gain, four no more"),
        pytest.param(130e3, 170e3, FOUR, id="four gain"),
        pytest.param(10e3, 5e3, ONE, id="in each other's way"),
        pytest.param(90e3, 120e3, FOUR, id="four gain where two lose"),
    ],
)
def test_more_threads_are_taken_only_where_they_are_clearly_faster(two: float, four: float, expected: Way) -> None:
    assert chosen({ONE: 100e3, TWO: two, FOUR: four}) == expected


@pytest.mark.parametrize(
    ("rough_one", "rough_two", "expected"),
    [
        pytest.param(120e3, 150e3, TWO, id="not clearly faster than the best of float32"),
        pytest.param(200e3, 190e3, ROUGH_ONE, id="clearly faster, on one thread"),
        pytest.param(200e3, 300e3, ROUGH_TWO, id="clearly faster, on two"),
        pytest.param(20e3, 30e3, TWO, id="slower"),
    ],
)
def test_bfloat16_is_taken_only_where_it_is_clearly_faster(rough_one: float, rough_two: float, expected: Way) -> None:
    assert chosen({ONE: 100e3, TWO: 140e3, ROUGH_ONE: rough_one, ROUGH_TWO: rough_two}) == expected


@pytest.mark.parametrize(
    ("one", "in_use", "expected"),
    [
        pytest.param(95e3, TWO, TWO, id="two stay where they gain little"),
        pytest.param(102e3, TWO, TWO, id="two stay where they lose next to nothing"),
        pytest.param(107e3, TWO, ONE, id="two are left where they lose 5 percent"),
        pytest.param(95e3, ONE, ONE, id="one stays where two would gain little"),
        pytest.param(80e3, ONE, TWO, id="one is left where two clearly gain"),
    ],
)
def test_what_is_in_use_stays_unless_another_number_is_clearly_faster(one: float, in_use: Way, expected: Way) -> None:
    assert chosen({ONE: one, TWO: 100e3}, in_use) == expected


def test_threads_in_each_others_way_are_given_up_after_one_turn() -> None:
    speeds = Speeds({ONE: 100e3, TWO: 1e3})

    calibration = speeds.calibrate()

    assert speeds.turns == [(ONE, 0), (TWO, 0)]
    assert speeds.clock.now < 0.2
    assert best_way(calibration) == ONE


def test_one_thread_gets_all_its_turns_however_long_it_is_delayed() -> None:
    speeds = Speeds({ONE: 100e3, ROUGH_ONE: 105e3}, delays={(ONE, 1): 0.1})

    calibration = speeds.calibrate()

    assert len(calibration.seconds[ONE]) == len(calibration.seconds[ROUGH_ONE]) > 3
    assert best_way(calibration) == ONE


def test_a_chance_delay_of_one_thread_does_not_make_two_fast() -> None:
    speeds = Speeds({ONE: 100e3, TWO: 100e3}, delays={(ONE, 6): 0.045})
    assert best_way(speeds.calibrate()) == ONE


def test_turns_grow_to_what_is_long_enough_and_everyone_begins_a_round_in_turn() -> None:
    speeds = Speeds({ONE: 100e3, TWO: 120e3})

    calibration = speeds.calibrate()

    assert calibration.num_chars[:3] == [CHARS_OF_SIZE_1, 2 * CHARS_OF_SIZE_1, 4 * CHARS_OF_SIZE_1]
    assert TURN_SECONDS / 2 <= calibration.seconds[TWO][-1] <= TURN_SECONDS
    assert [way for way, _ in speeds.turns[:6]] == [ONE, TWO, TWO, ONE, ONE, TWO]


@given(
    st.lists(st.floats(1e3, 1e7), min_size=1, max_size=8),
    st.floats(1e-4, 1.0),
)
def test_it_takes_less_than_a_second_beyond_the_first_turns_and_never_chooses_what_was_slower(
    rates: list[float], share: float
) -> None:
    speeds = Speeds({Way(num_threads=1 + number): rate * share for number, rate in enumerate(rates)})
    least = min(rates) * share

    calibration = speeds.calibrate()

    first_turns = len(rates) * CHARS_OF_SIZE_1 / least
    assert speeds.clock.now <= max(MAX_SECONDS, first_turns) + 1e-6 or speeds.turns[-1][1] <= 1
    assert calibration.ratio(best_way(calibration), ONE) >= 1.0
