"""Numbers of steps come back in order and none is lost, however many there are between two readings."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.step_history import CAPACITY, StepHistory

CPU = torch.device("cpu")


def write(history: StepHistory, first: int, count: int) -> None:
    for number in range(first, first + count):
        history.write(torch.tensor(float(number)), torch.tensor(float(-number)))
        history.count()


def numbers(first: int, count: int) -> tuple[list[float], list[float]]:
    return [float(n) for n in range(first, first + count)], [-float(n) for n in range(first, first + count)]


@settings(max_examples=20)
@given(counts=st.lists(st.integers(0, CAPACITY + 100), max_size=4))
def test_each_step_is_told_once_and_in_order_however_many_there_are(counts: list[int]) -> None:
    history, first = StepHistory(CPU), 0
    for count in counts:
        write(history, first, count)
        assert len(history) == count
        assert history.take() == numbers(first, count)
        first += count
    write(history, first, 5)
    history.clear()
    assert (len(history), history.take()) == (0, ([], []))
    write(history, 100, 4)
    assert history.take() == numbers(100, 4)


def test_steps_may_be_counted_before_the_device_gets_to_them() -> None:
    history = StepHistory(CPU)
    for _ in range(3):
        history.count()
    for number in range(3):
        history.write(torch.tensor(float(number)), torch.tensor(float(-number)))
    assert history.take() == numbers(0, 3)
