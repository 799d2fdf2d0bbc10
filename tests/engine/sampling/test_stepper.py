"""`CharStepper` expects what `TextGenerator.forward` expects, one character at a time, one row or many."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.compute.arrays import Floats
from engine.compute.cpu.inference_weights import InferenceWeights
from engine.compute.cpu.single_row import SingleRowStepper
from engine.model.gru import TextGenerator
from engine.sampling.stepper import CharStepper
from tests.engine.compute.cpu.random_batches import HIDDEN_SIZES

VOCAB_SIZE = 11


def make_model(num_layers: int, embedding_size: int, hidden_size: int, seed: int) -> TextGenerator:
    """Return a model with dropout, in training mode, whose weights are large enough that gates open and close."""
    torch.manual_seed(seed)
    model = TextGenerator(VOCAB_SIZE, embedding_size, hidden_size, num_layers, dropout=0.5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0)
    return model


def expected(model: TextGenerator, token_ids: list[list[int]]) -> Floats:
    """Return the module's own log-probabilities (B, V) after whole sequences (B, T)."""
    was_training = model.training
    with torch.no_grad():
        logits, _ = model.eval()(torch.tensor(token_ids))
    model.train(was_training)
    result: Floats = logits[:, -1].log_softmax(dim=-1).numpy()
    return result


@given(
    num_layers=st.integers(1, 3),
    embedding_size=st.integers(1, 9),
    hidden_size=st.sampled_from(HIDDEN_SIZES),
    num_rows=st.integers(1, 4),
    length=st.integers(1, 12),
    seed=st.integers(0, 2**32 - 1),
)
def test_it_expects_what_the_module_expects_at_every_character(
    num_layers: int, embedding_size: int, hidden_size: int, num_rows: int, length: int, seed: int
) -> None:
    model = make_model(num_layers, embedding_size, hidden_size, seed)
    token_ids = torch.randint(VOCAB_SIZE, (num_rows, length)).numpy()
    reader = CharStepper(model)
    reader.select(np.zeros(num_rows, dtype=np.int64))

    for count in range(1, length + 1):
        read = reader.read(token_ids[:, count - 1])
        assert np.allclose(read, expected(model, token_ids[:, :count].tolist()), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rows", [[2, 0], [1], [1, 1, 1, 1], [0, 1, 2]])
def test_rows_go_on_from_where_they_were_whichever_are_selected(rows: list[int]) -> None:
    model = make_model(num_layers=2, embedding_size=5, hidden_size=5, seed=4)
    reader = CharStepper(model)
    reader.select(np.zeros(3, dtype=np.int64))
    reader.read(np.array([4, 5, 6]))

    reader.select(np.array(rows))
    read = reader.read(np.array([8] * len(rows)))

    assert np.allclose(read, expected(model, [[4 + row, 8] for row in rows]), atol=1e-5)


def test_one_row_is_read_alike_with_compiled_code_and_without() -> None:
    model = make_model(num_layers=2, embedding_size=5, hidden_size=5, seed=7)
    token_ids = torch.randint(VOCAB_SIZE, (20, 1)).numpy()
    readers = [CharStepper(model), CharStepper(model, may_compile=False)]

    for one in token_ids:
        compiled, plain = (reader.read(one) for reader in readers)
        assert np.allclose(compiled, plain, atol=1e-5)


@pytest.mark.parametrize("hidden_size", [361, 363])
def test_large_weights_are_read_alike_by_one_thread_and_by_two(hidden_size: int) -> None:
    model = make_model(num_layers=2, embedding_size=5, hidden_size=hidden_size, seed=10)
    readers = []
    for num_threads in (1, 2):
        torch.set_num_threads(num_threads)
        readers.append(SingleRowStepper(InferenceWeights(model), [torch.zeros(1, hidden_size) for _ in range(2)]))
    is_shared = [[layer.shared_weight_hh is not None for layer in reader._layers] for reader in readers]
    assert is_shared == [[False] * 2, [hidden_size == 363] * 2]

    for token_id in (4, 5, 6):
        one, two = (reader.read(np.array([token_id])) for reader in readers)
        assert np.allclose(one, two, atol=1e-5)


@pytest.mark.parametrize("spoiled", [float("nan"), float("inf")])
@pytest.mark.parametrize("num_rows", [1, 2])
def test_what_is_not_finite_shows_in_every_log_probability(spoiled: float, num_rows: int) -> None:
    model = make_model(num_layers=1, embedding_size=3, hidden_size=5, seed=9)
    with torch.no_grad():
        model.proj.bias[6] = spoiled
    reader = CharStepper(model)
    reader.select(np.zeros(num_rows, dtype=np.int64))

    assert np.isnan(reader.read(np.full(num_rows, 5))).all()
