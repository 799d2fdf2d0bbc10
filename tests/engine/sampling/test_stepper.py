"""`CharStepper` returns the log-probabilities of `TextGenerator.forward`, one character at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from torch import Tensor

from engine.compute.cpu import single_row
from engine.compute.cpu.inference_weights import InferenceWeights
from engine.compute.cpu.single_row import SingleRowStepper
from engine.compute.gpu.cuda_graphs import WARM_UP_VISITS
from engine.compute.memory import CudaAllocator
from engine.model.gru import TextGenerator
from engine.model.ngram_codes import EMPTY_WINDOW, NUM_IDS
from engine.model.vocab import UNK
from engine.sampling.logits import Floats, Ids
from engine.sampling.stepper import CharStepper, RecordedStepper
from tests.engine.compute.cpu.random_batches import HIDDEN_SIZES, Shape, set_contexts, shapes, some_contexts
from tests.engine.compute.gpu.device_steps import FailingRecorder, FakeRecorder, Operations

TEXTS = Shape(lengths=[20] * 4, vocab_size=11, embedding_size=5, hidden_size=8, num_layers=2, seed=7, has_table=True)


def model_of(shape: Shape = TEXTS, **changes: Any) -> TextGenerator:
    """Return a model with dropout, in training mode, whose weights are large enough that gates open and close."""
    return replace(shape, **changes).model(dropout=0.5).float()


def ids_of(shape: Shape = TEXTS) -> Ids:
    """Return the texts (B, T) of a shape with equal lengths; the table has every other context of them."""
    return shape.batch().inputs[:, :-1]


def expected(model: TextGenerator, token_ids: list[list[int]]) -> Floats:
    """Return the module's own log-probabilities (B, V) after whole sequences (B, T)."""
    was_training = model.training
    with torch.no_grad():
        logits, _ = model.eval()(torch.tensor(token_ids))
    model.train(was_training)
    result: Floats = logits[:, -1].log_softmax(dim=-1).numpy()
    return result


@given(shape=shapes())
def test_log_probabilities_equal_those_of_the_module_after_every_character(shape: Shape) -> None:
    shape = replace(shape, lengths=[max(shape.lengths)] * len(shape.lengths))
    model, token_ids = model_of(shape), ids_of(shape)
    stepper = CharStepper(model)
    stepper.select(np.zeros(len(token_ids), dtype=np.int64))
    for count in range(1, token_ids.shape[1] + 1):
        log_probs = stepper.step(token_ids[:, count - 1])
        assert np.allclose(log_probs, expected(model, token_ids[:, :count].tolist()), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("num_rows", [1, 2])
def test_a_character_without_an_id_in_contexts_counts_there_as_unknown(num_rows: int) -> None:
    token_ids = np.array([[4, UNK, 5, 6], [UNK, 7, 7, UNK]])
    contexts = some_contexts(token_ids)
    model = TextGenerator(NUM_IDS + 9, 3, 8, ngram_contexts=len(contexts))
    torch.nn.init.normal_(model.get_parameter("ngram_input.weight"))
    set_contexts(model, contexts)
    rare = np.where(token_ids == UNK, NUM_IDS + 8, token_ids)[:num_rows]
    assert model.ngram_input is not None
    assert model.ngram_input.rows_of(torch.from_numpy(rare)).any()
    stepper = CharStepper(model)
    stepper.select(np.zeros(num_rows, dtype=np.int64))
    for count in range(1, 5):
        log_probs = stepper.step(rare[:, count - 1])
        assert np.allclose(log_probs, expected(model, rare[:, :count].tolist()), atol=1e-4)


@pytest.mark.parametrize("rows", [[2, 0], [1], [1, 1, 1, 1], [0, 1, 2]])
def test_selected_rows_continue_from_their_own_states(rows: list[int]) -> None:
    model, token_ids = model_of(), ids_of()[:3, :3]
    stepper = CharStepper(model)
    stepper.select(np.zeros(3, dtype=np.int64))
    stepper.step(token_ids[:, 0])
    stepper.step(token_ids[:, 1])
    stepper.select(np.array(rows))
    log_probs = stepper.step(token_ids[rows, 2])
    assert np.allclose(log_probs, expected(model, token_ids[rows].tolist()), atol=1e-5)


def start_of(model: TextGenerator) -> tuple[InferenceWeights, list[Tensor], Tensor]:
    """Return weights, states and window at the start of a tweet."""
    states = [torch.zeros(1, model.rnn.hidden_size) for _ in range(model.rnn.num_layers)]
    return InferenceWeights(model), states, torch.tensor([EMPTY_WINDOW])


def test_one_row_gives_the_same_recorded_with_compiled_code_and_without() -> None:
    model = model_of()
    recorder = FakeRecorder()
    recorded, compiled = RecordedStepper(*start_of(model), recorder), CharStepper(model)
    plain = CharStepper(model, may_compile=False)
    for one in ids_of()[:1].T:
        log_probs = plain.step(one)
        assert np.array_equal(recorded.step(one), log_probs)
        assert np.allclose(compiled.step(one), log_probs, atol=1e-5)
    assert recorder.log == ["warm-up"] * WARM_UP_VISITS + ["record"] + ["replay"] * (20 - WARM_UP_VISITS)


def test_a_row_that_cant_be_recorded_is_computed_all_the_same(allocator: CudaAllocator) -> None:
    model = model_of(num_layers=1)
    recorder = FailingRecorder(RuntimeError("operation not permitted when stream is capturing"), failing={1})
    recorded, plain = RecordedStepper(*start_of(model), recorder), CharStepper(model, may_compile=False)
    for token_id in range(4, 10):
        assert np.array_equal(recorded.step(np.array([token_id])), plain.step(np.array([token_id])))
    assert not allocator.is_sound


def test_a_step_of_a_single_row_allocates_no_memory() -> None:
    stepper = RecordedStepper(*start_of(model_of()), FakeRecorder())
    token_ids = torch.tensor([4])
    stepper._compute_and_copy(token_ids)
    with Operations() as recorded:  # the results of one that allocates no memory alias its arguments
        stepper._compute_and_copy(token_ids)
    assert len(recorded.schemas) > 10
    assert [schema.name for schema in recorded.schemas if not any(each.alias_info for each in schema.returns)] == []


@pytest.mark.parametrize("hidden_size", HIDDEN_SIZES)
def test_large_weights_give_the_same_on_one_thread_and_two(monkeypatch: pytest.MonkeyPatch, hidden_size: int) -> None:
    monkeypatch.setattr(single_row, "_THREADED_BYTES", 4 * 3 * 18 * 18)
    model = model_of(hidden_size=hidden_size)
    steppers = []
    for num_threads in (1, 2):
        torch.set_num_threads(num_threads)
        steppers.append(SingleRowStepper(*start_of(model)))
    is_threaded = [[layer.threaded_weight_hh is not None for layer in stepper._layers] for stepper in steppers]
    assert is_threaded == [[False] * 2, [hidden_size == 18] * 2]
    for token_id in (4, 5, 6):
        one, two = (stepper.step(np.array([token_id])) for stepper in steppers)
        assert np.allclose(one, two, atol=1e-5)


@pytest.mark.parametrize("num_rows", [1, 2])
def test_a_non_finite_weight_makes_every_log_probability_nan(num_rows: int) -> None:
    for spoiled in (float("nan"), float("inf")):
        model = model_of(num_layers=1)
        with torch.no_grad():
            model.proj.bias[6] = spoiled
        stepper = CharStepper(model)
        stepper.select(np.zeros(num_rows, dtype=np.int64))
        assert np.isnan(stepper.step(np.full(num_rows, 5))).all()
