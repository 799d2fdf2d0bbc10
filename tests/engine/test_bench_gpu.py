"""What `bench` does otherwise on a GPU, as far as that shows without one."""

from __future__ import annotations

import pytest
import torch

from engine.bench.training import (
    GPU_SHAPES,
    MAX_STEPS_PER_TURN,
    SHAPES,
    Field,
    Shape,
    measure_training,
    shapes_for,
)
from engine.bench.turns import Contender
from engine.corpus.batches import BatchStream
from engine.corpus.position import Position
from engine.runtime import available_cores
from tests.engine.helpers import encoded
from tests.fakes import FakeClock


def test_a_gpu_gets_larger_shapes() -> None:
    assert shapes_for(torch.device("cpu")) == SHAPES
    assert shapes_for(torch.device("cuda")) == shapes_for(torch.device("mps")) == GPU_SHAPES
    assert [(shape.hidden_size, shape.batch_size) for shape in GPU_SHAPES] == [(128, 32), (512, 256), (1024, 512)]


def some_field() -> Field:
    tweets, vocab = encoded()
    return Field(Shape(4, 6, 5), len(vocab), torch.device("cpu"), BatchStream(tweets, 5, seed=3, position=Position()))


def test_a_step_without_graphs_has_a_name_and_a_model_of_its_own() -> None:
    field = some_field()
    before = field.model.proj.weight.detach().clone()
    contender = field.ours("float32", available_cores(), may_record=False)
    contender.take_turn(0)
    assert contender.name.startswith("ours, without graphs")
    assert torch.equal(field.model.proj.weight, before)


@pytest.mark.parametrize(("turn_seconds", "num_rounds"), [(0.01, 8), (1.0, 4)])
def test_a_gpu_is_warmed_up_in_long_turns_that_do_not_count_until_it_is_late(
    monkeypatch: pytest.MonkeyPatch, turn_seconds: float, num_rounds: int
) -> None:
    field, clock = some_field(), FakeClock()
    turns: list[tuple[int, int]] = []

    def take_turn(number: int) -> int:
        turns.append((number, field.steps_per_turn))
        clock.advance(turn_seconds)
        return 1000 if number < 0 else 7

    contenders = [Contender(f"{name}", take_turn) for name in ("tutorial", "matrix products")]
    monkeypatch.setattr(Field, "is_on_gpu", property(lambda _: True))
    monkeypatch.setattr(Field, "contenders", lambda _: contenders)

    figures = measure_training(field, 20.0, lambda _: None, clock)

    warm_up = [turn for turn in turns if turn[0] < -1]
    assert turns[: len(warm_up)] == warm_up
    assert {steps for _, steps in warm_up} == {MAX_STEPS_PER_TURN}
    assert len({number for number, _ in warm_up}) == num_rounds
    assert all(row.chars_per_second == pytest.approx(7 / turn_seconds) for row in figures)
