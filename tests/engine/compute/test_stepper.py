"""Steppers give the log-probabilities of the module, one character at a time, on a CPU, by graphs and on threads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.compute import stepper as stepper_module
from engine.compute.cpu import single_row
from engine.compute.cpu.single_row import SingleRowStepper
from engine.compute.cuda_graphs import WARM_UP_VISITS
from engine.compute.stepper import CharGraph, CharStepper, HeldUnit, initial_state
from engine.config.run import TrainingConfig
from engine.model.gru import TextGenerator
from engine.model.parameters import InferenceWeights
from engine.model.vocab import NUM_IDS, UNK
from engine.sampling.logits import Floats, Ids
from engine.training.trainer import Trainer
from tests.engine.compute.cpu.random_batches import HIDDEN_SIZES, Shape, set_contexts, shapes, some_contexts
from tests.engine.compute.gpu.device_steps import FakeRecorder, Operations, use_char_graphs
from tests.engine.helpers import CPU

TEXTS = Shape(lengths=[20] * 4, vocab_size=11, embedding_size=5, hidden_size=8, num_layers=2, seed=7, has_table=True)


def model_of(shape: Shape = TEXTS, **changes: Any) -> TextGenerator:
    """Return a model with dropout, in training mode, whose weights are large enough that gates open and close."""
    return replace(shape, **changes).model(dropout=0.5).float()


def ids_of(shape: Shape = TEXTS) -> Ids:
    """Return the texts (B, T) of a shape with equal lengths; the table has every other context of them."""
    return shape.batch().inputs[:, :-1]


def log_probs_of(model: TextGenerator, token_ids: list[list[int]]) -> Floats:
    """Return the module's own log-probabilities (B, V) after whole sequences (B, T)."""
    was_training = model.training
    with torch.no_grad():
        logits: Tensor = model.eval()(torch.tensor(token_ids))[0][:, -1]
    model.train(was_training)
    result: Floats = logits.log_softmax(dim=-1).numpy()
    return result


@given(shape=shapes(), data=st.data())
def test_log_probabilities_of_selected_rows_equal_those_of_the_module(shape: Shape, data: st.DataObject) -> None:
    shape = replace(shape, lengths=[max(shape.lengths)] * len(shape.lengths))
    model, token_ids = model_of(shape), ids_of(shape)
    num_rows, num_chars = token_ids.shape
    rows = data.draw(st.lists(st.integers(0, num_rows - 1), min_size=1, max_size=4))
    stepper = CharStepper(model)
    stepper.select(np.zeros(num_rows, dtype=np.int64))
    for count in range(1, num_chars + 1):
        if count == num_chars // 2 + 1:
            stepper.select(np.array(rows))
            token_ids = token_ids[rows]
        log_probs = stepper.step(token_ids[:, count - 1])
        assert np.allclose(log_probs, log_probs_of(model, token_ids[:, :count].tolist()), rtol=1e-4, atol=1e-4)


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
        assert np.allclose(log_probs, log_probs_of(model, rare[:, :count].tolist()), atol=1e-4)


def test_one_row_with_a_held_unit_is_computed_as_the_first_of_two() -> None:
    model, token_ids = model_of(), ids_of()
    one, two = (CharStepper(model, held=HeldUnit(layer=0, unit=3, value=0.9)) for _ in range(2))
    two.select(np.array([0, 0]))
    free = CharStepper(model)
    for token_id in token_ids[0]:
        log_probs = one.step(token_id[None])
        assert np.allclose(log_probs[0], two.step(np.array([token_id, token_id]))[0], atol=1e-5)
        assert not np.allclose(log_probs, free.step(token_id[None]), atol=1e-4)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> FakeRecorder:
    """Let single rows be computed as on a GPU; return what records them."""
    recorder = FakeRecorder()
    use_char_graphs(monkeypatch, recorder)
    return recorder


def test_tweets_of_two_models_in_turns_are_those_of_plain_steps_with_one_recording(recorder: FakeRecorder) -> None:
    models = [model_of(), model_of()]
    with torch.no_grad():
        models[1].proj.weight.neg_()
    models += models
    recorded, plain = ([CharStepper(each, may_compile=by_graph) for each in models] for by_graph in (True, False))
    models[0].proj.weight.data.zero_()  # a tweet has the weights at its start
    for token_ids in ids_of()[:4].T:
        for token_id, one, other in zip(token_ids, recorded, plain, strict=True):
            assert np.array_equal(one.step(token_id[None]), other.step(token_id[None]))
    for one, other in zip(recorded, plain, strict=True):
        for each in (one, other):
            each.select(np.array([0, 0]))
        assert np.array_equal(one.step(np.array([4, 5])), other.step(np.array([4, 5])))
    assert recorder.log.count("record") == 1


def test_a_row_of_a_graph_has_no_buffers_of_its_own(recorder: FakeRecorder, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    make = stepper_module._BatchStepper.__init__

    def count_rows(self: object, weights: InferenceWeights, state: list[torch.Tensor], held: HeldUnit | None) -> None:
        made.append(len(state[0]))
        make(self, weights, state, held)  # type: ignore[arg-type] # the class is private

    model = model_of()
    CharStepper(model)  # makes the graph
    monkeypatch.setattr(stepper_module._BatchStepper, "__init__", count_rows)
    stepper = CharStepper(model)
    stepper.step(np.array([4]))
    stepper.select(np.array([0]))
    stepper.step(np.array([5]))
    assert made == []
    stepper.select(np.array([0, 0]))
    stepper.step(np.array([6, 7]))
    assert made == [2]
    assert "warm-up" in recorder.log


def test_a_graph_is_freed_for_a_model_of_other_sizes_and_with_a_trainers_memory_while_its_tweet_continues(
    recorder: FakeRecorder,
) -> None:
    for hidden_size in (8, 8, 18):
        model = model_of(hidden_size=hidden_size)
        trainer = Trainer(model, TrainingConfig(), CPU)
        tweet, plain = (CharStepper(model, may_compile=by_graph) for by_graph in (True, False))
        for position, token_id in enumerate(ids_of()[:1].T):
            if hidden_size == 18 and position == 10:
                trainer.free_memory()
                assert stepper_module._GRAPHS == {}
                of_each = ["warm-up"] * WARM_UP_VISITS + ["record"]
                num_replayed = 2 * ids_of().shape[1] - WARM_UP_VISITS, 10 - WARM_UP_VISITS
                assert recorder.log == [
                    call for count in num_replayed for call in (*of_each, *["replay"] * count, "discard")
                ]
            assert np.array_equal(tweet.step(token_id), plain.step(token_id))


def test_a_step_of_a_single_row_allocates_no_memory() -> None:
    stepper = CharGraph(model_of(), FakeRecorder())
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
        *states, windows = initial_state(InferenceWeights(model))
        steppers.append(SingleRowStepper(InferenceWeights(model), states, windows))
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
