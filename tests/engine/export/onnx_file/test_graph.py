"""The graph computes what `TextGenerator.forward` computes, in onnxruntime and in ONNX's reference implementation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from engine.export.onnx_file.graph import graph_of
from engine.export.onnx_file.ngrams import HashTable
from engine.model.gru import TextGenerator
from engine.model.ngram_codes import NUM_IDS
from engine.model.ngram_input import NgramInput
from engine.model.vocab import BOS, PAD, UNK
from tests.engine.export.onnx_file.models import (
    NUM_TWEETS,
    SHAPES,
    Runtime,
    Shape,
    log_probs_of,
    onnx_model,
    padding_before,
)
from tests.engine.helpers import code_of

TOLERANCE = 1e-5
NUM_STEPS = 1000
each_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())


def largest_difference(graph: onnx.ModelProto, shape: Shape, num_steps: int) -> float:
    """Return the largest difference of log-probabilities from the program's, one character at a time."""
    runtime, model, largest = Runtime(graph), shape.model(), 0.0
    hidden, before = None, padding_before(NUM_TWEETS)
    with torch.inference_mode():
        for token_ids in torch.split(shape.texts(num_steps), 1, dim=1):  # (B, 1)
            logits, hidden = model(token_ids, hidden, before)
            before = torch.cat([before, token_ids], dim=1)[:, 1:]
            largest = max(largest, float(np.abs(runtime.read(token_ids) - log_probs_of(logits)).max()))
    return largest


@each_shape
def test_a_thousand_steps_one_by_one_have_the_programs_log_probabilities(shape: Shape) -> None:
    assert largest_difference(onnx_model(shape.model()), shape, NUM_STEPS) < TOLERANCE


@each_shape
def test_a_whole_text_and_a_text_in_two_parts_have_the_programs_log_probabilities_and_state(shape: Shape) -> None:
    model, texts = shape.model(), shape.texts(100)
    with torch.inference_mode():
        logits, hidden = model(texts)
    whole, parts = Runtime(onnx_model(model)), Runtime(onnx_model(model))
    expected = log_probs_of(logits)
    found = np.concatenate([parts.read(texts[:, :2]), parts.read(texts[:, 2:])], axis=1)  # fewer than `before` has
    for log_probs, runtime in ((whole.read(texts), whole), (found, parts)):
        np.testing.assert_allclose(log_probs, expected, rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(runtime.state["hidden"], hidden.numpy(), rtol=0, atol=TOLERANCE)
        if shape.has_table:
            assert runtime.state["before"].tolist() == texts[:, -3:].tolist()


def with_reset_before_product(graph: onnx.ModelProto) -> None:
    """Apply the reset gate before the matrix product, as in ONNX's default."""
    for node in graph.graph.node:
        for attribute in node.attribute:
            if attribute.name == "linear_before_reset":
                attribute.i = 0


def with_torchs_order_of_gates(graph: onnx.ModelProto) -> None:
    """Exchange the gates z and r."""
    for tensor in graph.graph.initializer:
        if tensor.name.endswith((".W", ".R", ".B")):
            array = numpy_helper.to_array(tensor)
            update, reset, *rest = np.split(array, 6 if tensor.name.endswith(".B") else 3, axis=1)
            swapped = [reset, update, rest[0]]
            if len(rest) > 1:
                swapped += [rest[2], rest[1], rest[3]]
            tensor.CopyFrom(numpy_helper.from_array(np.concatenate(swapped, axis=1), tensor.name))


@pytest.mark.parametrize("spoil", [with_reset_before_product, with_torchs_order_of_gates])
def test_another_equation_of_the_candidate_or_order_of_the_gates_is_far_beyond_the_tolerance(
    spoil: Callable[[onnx.ModelProto], None],
) -> None:
    shape = SHAPES["one layer"]
    graph = onnx_model(shape.model())
    spoil(graph)
    onnx.checker.check_model(graph, full_check=True)  # a valid graph: nothing else would notice
    assert largest_difference(graph, shape, 20) > 1000 * TOLERANCE


@pytest.mark.parametrize("name", ["two layers, tied", "three layers, n-gram input"])
def test_the_reference_implementation_of_onnx_agrees_with_the_program(name: str) -> None:
    shape = SHAPES[name]
    model, texts = shape.model(), shape.texts(50)
    with torch.inference_mode():
        logits, _ = model(texts)
    graph = onnx_model(model)
    inputs = {"token_ids": texts.numpy(), **Runtime(graph).state}
    found: list[Any] = list(ReferenceEvaluator(graph).run(["log_probs"], inputs))
    np.testing.assert_allclose(found[0], log_probs_of(logits), rtol=0, atol=TOLERANCE)


@each_shape
def test_every_graph_passes_the_full_check_and_no_two_nodes_share_a_name(shape: Shape) -> None:
    graph = onnx_model(shape.model())
    onnx.checker.check_model(graph, full_check=True)
    names = [node.name for node in graph.graph.node]
    assert len(set(names)) == len(names) < 60


def test_a_model_without_an_ngram_input_is_eleven_nodes_and_one_gru_more_per_layer() -> None:
    operators = [node.op_type for node in graph_of(SHAPES["one layer"].model()).node]
    last = ["Concat", "Transpose", "Transpose", "MatMul", "Add", "LogSoftmax"]
    assert operators == ["Transpose", "Gather", "Split", "GRU", "Squeeze", *last]
    two = [node.op_type for node in graph_of(SHAPES["two layers, tied"].model()).node]
    assert two == ["Transpose", "Gather", "Split", *["GRU", "Squeeze"] * 2, *last]


def test_tied_embeddings_are_stored_once() -> None:
    names = {tensor.name for tensor in graph_of(SHAPES["tied, n-gram input"].model()).initializer}
    assert "embed.weight" in names
    assert "proj.weight" not in names


HIGH = NUM_IDS - 1
HARD_CONTEXTS = [
    (PAD, BOS),
    (BOS, 5),
    (PAD, BOS, 5),
    (5, 6),
    (5, 6, 7),
    (4, 5, 6, 7),
    (32767, 32768),
    (32768, 32767),
    (32768, 1),
    (HIGH, HIGH),
    (HIGH, HIGH, HIGH),
    (HIGH, HIGH, HIGH, HIGH),
    (HIGH, 40000, 50000, 60000),
    (32767, HIGH, HIGH, HIGH),
    (UNK, 5),
    (5, UNK, UNK),
]
HARD_TEXTS = [
    [BOS, 5, 6, 7, PAD, PAD, 4, 5, 6, 7],
    [32767, 32768, 32767, 1, 32768, 1, BOS, PAD, BOS, 5],
    [HIGH, HIGH, HIGH, HIGH, HIGH, 40000, 50000, 60000, PAD, PAD],
    [32767, HIGH, HIGH, HIGH, 5, NUM_IDS, NUM_IDS + 7, 5, UNK, 5],
    [PAD, PAD, PAD, BOS, NUM_IDS, 5, 5, 6, 6, 7],
]


def model_of(contexts: list[tuple[int, ...]]) -> TextGenerator:
    """Return a model of 65,636 symbols whose row of each context has numbers that add up exactly."""
    codes = sorted({code_of(*ids) for ids in contexts})
    model = TextGenerator(NUM_IDS + 100, 1, 2, ngram_contexts=len(codes)).eval()
    model.ngram_input = ngrams = NgramInput(len(codes), 2)
    ngrams.contexts.copy_(torch.tensor(codes))
    rows = torch.arange(1.0, 1 + len(codes))
    ngrams.weight.data[1:] = torch.stack([rows, rows**2], dim=1)
    return model


def assert_same_lookup(model: TextGenerator, texts: torch.Tensor) -> npt.NDArray[np.float32]:
    """Assert that the graph adds the same rows as the program; return their sums."""
    graph = onnx.shape_inference.infer_shapes(onnx_model(model))
    lookup = onnx.utils.Extractor(graph).extract_model(["token_ids", "before"], ["ngram_input"])
    found = Runtime(lookup, len(texts)).value_of("ngram_input", texts)  # (T, B, H)
    assert model.ngram_input is not None
    with torch.inference_mode():
        expected = model.ngram_input(texts).transpose(0, 1)
    assert found.tolist() == expected.tolist()
    return found


@pytest.mark.parametrize("count", [1, 2, 3, len(HARD_CONTEXTS)])
def test_the_lookup_is_exact_for_ids_from_32768_on_for_unknown_ones_and_at_padding(count: int) -> None:
    found = assert_same_lookup(model_of(HARD_CONTEXTS[:count]), torch.tensor(HARD_TEXTS))
    assert found.any()


def test_the_lookup_is_exact_for_thousands_of_random_contexts_that_share_hashes() -> None:
    generator = np.random.default_rng(2)
    highest = generator.choice([12, 200, 33000, NUM_IDS], 6000)
    contexts = [tuple(generator.integers(1, high, generator.integers(2, 5)).tolist()) for high in highest]
    texts = [[token_id for ids in contexts[place::4] for token_id in ids][:3000] for place in range(4)]
    model = model_of(contexts)
    assert model.ngram_input is not None
    assert HashTable(model.ngram_input).width > 2
    found = assert_same_lookup(model, torch.tensor(texts))
    assert (found[:, :, 0] > 0).mean() > 0.2


def test_the_lookup_computes_in_int32_so_that_a_runtime_without_int64_finds_the_same_rows() -> None:
    graph = onnx.shape_inference.infer_shapes(onnx_model(SHAPES["three layers, n-gram input"].model())).graph
    of_int64 = {each.name for each in graph.value_info if each.type.tensor_type.elem_type == onnx.TensorProto.INT64}
    assert of_int64 == {"token_ids_by_time", "before_by_time", "ids_with_before", "before_out_by_time"}
    table = HashTable(model_of([(HIGH, HIGH, HIGH, HIGH), (HIGH, HIGH)]).ngram_input)  # type: ignore[arg-type]
    assert {array.dtype for array in (table.keys, table.starts)} == {np.dtype(np.int32)}
