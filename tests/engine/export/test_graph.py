"""Without the program, the graph of an ONNX file and `modeling.py` compute what the program does.

The graph does so in onnxruntime and in ONNX's reference implementation; its file has as metadata what a reader needs.
"""

from __future__ import annotations

import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor

from engine.checkpoints.checkpoint import Checkpoint
from engine.config.run import MAX_NGRAM_CONTEXTS, ModelConfig
from engine.config.sampling import SamplingConfig
from engine.errors import CheckpointError
from engine.export.hub import CODE
from engine.export.onnx import IR_VERSION, OPSET, HashTable, graph_of, onnx_file
from engine.model.gru import NgramInput, TextGenerator
from engine.model.vocab import BOS, NUM_IDS, PAD, SPECIALS, UNK, Vocab
from engine.sampling.logits import next_char_weights
from engine.sampling.sampler import TweetSampler
from engine.storage.log import installed_version
from tests.engine.checkpoints.saved import checkpoint_info, checkpoint_tensors
from tests.engine.export.models import EMOJI, MODELS, SHAPES, random_ids, random_model, write_random_folder
from tests.engine.helpers import assert_close_tensors, code_of

TOLERANCE = 1e-5
VOCAB_SIZE = 60
Arrays = npt.NDArray[np.float32]


def onnx_model(model: TextGenerator) -> onnx.ModelProto:
    """Return the model with its graph, which passes ONNX's full check, and nothing else."""
    opset = [onnx.helper.make_opsetid("", OPSET)]
    made = onnx.helper.make_model(graph_of(model), ir_version=IR_VERSION, opset_imports=opset)
    onnx.checker.check_model(made, full_check=True)
    return made


class Runtime:
    """A graph in onnxruntime, and the state of some texts."""

    def __init__(self, graph: onnx.ModelProto, num_texts: int = 3) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        content = graph.SerializeToString()
        self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self.state: dict[str, npt.NDArray[Any]] = {}
        for each in self.session.get_inputs()[1:]:
            shape = [num_texts if size == "batch" else size for size in each.shape]
            self.state[each.name] = np.zeros(shape, np.float32 if each.type == "tensor(float)" else np.int64)

    def read(self, token_ids: Tensor) -> Arrays:
        """Continue the texts by (B, T); return the log-probabilities (B, T, V)."""
        names = ["log_probs", *(f"{name}_out" for name in self.state)]
        log_probs, *state = self.session.run(names, {"token_ids": token_ids.numpy(), **self.state})
        self.state = dict(zip(self.state, state, strict=True))
        result: Arrays = log_probs
        return result


def log_probs_of(logits: Tensor) -> Arrays:
    """Return the log-probabilities of the program's logits."""
    result: Arrays = torch.log_softmax(logits, dim=-1).numpy()
    return result


@pytest.mark.parametrize("shape", [*SHAPES, "4,000 characters"])
def test_a_text_read_whole_in_parts_or_by_characters_has_the_programs_log_probabilities_and_state(shape: str) -> None:
    vocab_size, num_steps = (VOCAB_SIZE, 1000) if shape in SHAPES else (4000, 100)
    model = random_model(vocab_size, SHAPES.get(shape, SHAPES["n-grams"]))
    texts = random_ids(vocab_size, num_steps)
    graph = onnx_model(model)
    with torch.inference_mode():
        logits, hidden = model(texts)
    for part_ends in ([], [2], range(1, num_steps)):  # a first part with fewer characters than `before`
        runtime = Runtime(graph)
        found = [runtime.read(part) for part in torch.tensor_split(texts, list(part_ends), dim=1)]
        np.testing.assert_allclose(np.concatenate(found, axis=1), log_probs_of(logits), rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(runtime.state["hidden"], hidden.numpy(), rtol=0, atol=TOLERANCE)
        if model.ngram_input is not None:
            assert runtime.state["before"].tolist() == texts[:, -3:].tolist()
    if shape in {"four layers", "all"}:
        inputs = {"token_ids": texts[:, :50].numpy(), **Runtime(graph).state}
        by_reference: list[Any] = list(ReferenceEvaluator(graph).run(["log_probs"], inputs))
        np.testing.assert_allclose(by_reference[0], log_probs_of(logits[:, :50]), rtol=0, atol=TOLERANCE)


def test_a_graph_has_few_nodes_of_different_names_one_gru_per_layer_and_tied_embeddings_once() -> None:
    graphs = {shape: graph_of(random_model(VOCAB_SIZE, SHAPES[shape])) for shape in SHAPES}
    for graph in graphs.values():
        assert len({node.name for node in graph.node}) == len(graph.node) < 60
    first, last = ["Transpose", "Gather", "Split"], ["Concat", "Transpose", "Transpose", "MatMul", "Add", "LogSoftmax"]
    for shape, num_layers in (("one layer", 1), ("four layers", 4)):
        operators = [node.op_type for node in graphs[shape].node]
        assert operators == [*first, *["GRU", "Squeeze"] * num_layers, *last]
    names = {tensor.name for tensor in graphs["all"].initializer}
    assert names & {"embed.weight", "proj.weight"} == {"embed.weight"}


HIGH = NUM_IDS - 1
HARD_CONTEXTS = [
    *((PAD, BOS), (BOS, 5), (PAD, BOS, 5), (5, 6), (5, 6, 7), (4, 5, 6, 7), (32767, 32768), (32768, 32767)),
    *((32768, 1), (HIGH, HIGH), (HIGH, HIGH, HIGH), (HIGH, HIGH, HIGH, HIGH), (HIGH, 40000, 50000, 60000)),
    *((32767, HIGH, HIGH, HIGH), (UNK, 5), (5, UNK, UNK)),
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


def assert_same_lookup(model: TextGenerator, texts: Tensor) -> Arrays:
    """Assert that the graph adds the same rows as the program; return their sums."""
    graph = onnx.shape_inference.infer_shapes(onnx_model(model))
    lookup = onnx.utils.Extractor(graph).extract_model(["token_ids", "before"], ["ngram_input"])
    runtime = Runtime(lookup, len(texts))
    found: Arrays
    [found] = runtime.session.run(["ngram_input"], {"token_ids": texts.numpy(), **runtime.state})  # (T, B, H)
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
    graph = onnx.shape_inference.infer_shapes(onnx_model(random_model(VOCAB_SIZE, SHAPES["n-grams"]))).graph
    of_int64 = {each.name for each in graph.value_info if each.type.tensor_type.elem_type == onnx.TensorProto.INT64}
    assert of_int64 == {"token_ids_by_time", "before_by_time", "ids_with_before", "before_out_by_time"}
    table = HashTable(model_of([(HIGH, HIGH, HIGH, HIGH), (HIGH, HIGH)]).ngram_input)  # type: ignore[arg-type]
    assert {array.dtype for array in (table.keys, table.starts)} == {np.dtype(np.int32)}


# The file -------------------------------------------------------------------------------------------------------------


def metadata_of(measured: float | None = None, **changes: object) -> dict[str, str]:
    """Return the metadata of a small checkpoint's file as onnxruntime reads them."""
    content = onnx_file(Checkpoint(checkpoint_info(**changes), checkpoint_tensors()), lambda: measured)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    found: dict[str, str] = session.get_modelmeta().custom_metadata_map
    return found


def test_the_metadata_name_symbols_of_any_kind_special_ids_a_hostile_run_and_the_figure_that_was_measured() -> None:
    common = {"pad_token_id": "0", "bos_token_id": "1", "eos_token_id": "2", "unk_token_id": "3", "run": "a run"}
    by_the_run = {"bits_per_char": 2.125, "last_eval_step": 2, "val_loss": 1.5}  # perhaps on some of the tweets
    for measured, figures in ((2.25, {"bits_per_char": "2.25"}), (None, {})):
        found = metadata_of(measured, **by_the_run)
        assert json.loads(found.pop("vocab")) == [*SPECIALS, *checkpoint_info().vocab]
        assert found == {**common, "step": "2", **figures}
    chars: tuple[str, ...] = ("😀", "\u200f", "ש", '"', "\\", "\ud800", "\x1b", "漢", "<")
    chars += tuple(chr(0x4E00 + number) for number in range(len(checkpoint_info().vocab) - len(chars)))
    found = metadata_of(vocab=chars, run="\x1b[31m\ud800 <b>run</b>")
    assert found["vocab"].isascii()
    assert json.loads(found["vocab"]) == [*SPECIALS, *chars]
    assert found["run"].endswith("<b>run</b>")
    assert "\x1b" not in found["run"]


def test_the_file_names_its_producer_and_has_operators_of_2021_and_averaged_weights() -> None:
    tensors = checkpoint_tensors()
    average = {name.replace("model.", "average."): tensor + 1 for name, tensor in tensors.items() if "model." in name}
    saved = Checkpoint(checkpoint_info(), tensors | average)
    content = onnx_file(saved, lambda: None)
    model = onnx.load_from_string(content)
    assert (model.producer_name, model.producer_version) == ("tweetgen-tui", installed_version("tweetgen-tui"))
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 13)]
    assert model.ir_version == 7
    assert onnx_file(saved, lambda: None) == content
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    np.testing.assert_array_equal(weights["proj.bias"], average["average.proj.bias"].numpy())


@pytest.mark.parametrize("sizes", [{"num_layers": 3}, {"ngram_order": 4, "ngram_contexts": MAX_NGRAM_CONTEXTS}])
def test_weights_beyond_the_limit_of_the_format_are_refused_before_a_graph_is_made(sizes: dict[str, Any]) -> None:
    info = checkpoint_info(model=ModelConfig(hidden_size=8192, **sizes))
    with pytest.raises(CheckpointError, match=r"weights are [2-4]\.\d GB") as caught:
        onnx_file(Checkpoint(info, {}), lambda: pytest.fail("measured first"))
    assert "checkpoints export" in caught.value.hint


# modeling.py ----------------------------------------------------------------------------------------------------------

PROGRAM = ("engine", "tui", "assets")


def modeling_of(folder: Path) -> SimpleNamespace:
    """Run the folder's code and return what it defines."""
    return SimpleNamespace(**runpy.run_path(str(folder / CODE)))


@pytest.mark.parametrize("name", MODELS)
def test_where_the_program_can_not_be_imported_logits_are_equal_to_1e_5_and_greedy_texts_are_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    config, chars = MODELS[name]
    sampling = SamplingConfig(temperature=0, max_length=30)
    own_model = write_random_folder(tmp_path / "model", config, chars, sampling=replace(sampling, temperature=1))
    ids = random_ids(len(SPECIALS) + len(chars))[:, :12]
    with torch.inference_mode():
        expected, _ = own_model(ids)
        [tweet] = TweetSampler(own_model, Vocab(chars), sampling, [0], may_compile=False).results()
    assert expected.std() > 0.5

    with monkeypatch.context() as without_program, torch.no_grad():
        for module_name in {*PROGRAM, *sys.modules}:
            if module_name.partition(".")[0] in PROGRAM:
                without_program.setitem(sys.modules, module_name, None)  # its import fails
        module = modeling_of(tmp_path / "model")
        model, vocab = module.load(tmp_path / "model")
        logits, _ = model(ids)
        state, places = None, []
        for end in range(1, ids.shape[1] + 1):
            place, state = model(ids[:, :end], state)
            places.append(place)
        text = module.generate(model, vocab, do_sample=False)

    for found in (logits, torch.cat(places, dim=1)):
        assert_close_tensors(found, expected, atol=1e-5, rtol=0)
    assert text == tweet.text


DRAWN: tuple[dict[str, Any], ...] = (
    *({"temperature": 0.8}, {"top_k": 3}, {"top_p": 0.6}, {"min_p": 0.2, "temperature": 2.0}),
    {"top_k": 1_000_000, "temperature": 1.5},
    {"top_k": 6, "top_p": 0.9, "min_p": 0.05, "temperature": 3.0, "temperature_last": True},
)


@pytest.mark.parametrize("changes", DRAWN)
def test_it_draws_from_the_programs_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    sampling = SamplingConfig(**changes, max_length=1)
    model = write_random_folder(tmp_path / "model", SHAPES["all"], EMOJI, sampling=sampling)
    module = modeling_of(tmp_path / "model")
    drawn_from: list[torch.Tensor] = []

    def first(weights: torch.Tensor, _: int) -> torch.Tensor:
        drawn_from.append(weights / weights.sum())
        return torch.tensor([0])

    monkeypatch.setattr(torch, "multinomial", first)
    module.generate(*module.load(tmp_path / "model"))

    logits = model(torch.tensor([[BOS]]))[0][0, -1:].detach().numpy()
    weights = next_char_weights(logits, sampling, np.full((1, 1), sampling.temperature, dtype=np.float32))
    expected = np.sort(weights[weights > 0] / weights.sum())[::-1]
    [found] = drawn_from
    np.testing.assert_allclose(found[found > 0].numpy(), expected, atol=1e-6)


def test_a_text_starts_with_its_prompt_ends_in_time_and_at_temperature_0_is_greedy(tmp_path: Path) -> None:
    sampling = SamplingConfig(max_length=25)
    write_random_folder(tmp_path / "model", SHAPES["one layer"], EMOJI, sampling=sampling)
    module = modeling_of(tmp_path / "model")
    model, vocab = module.load(tmp_path / "model")
    texts = [module.generate(model, vocab, "ab 😀") for _ in range(50)]
    assert all(text.startswith("ab 😀") and set(text) <= set(EMOJI) for text in texts)
    assert max(map(len, texts)) <= 25
    assert len(set(texts)) > 10
    assert max(len(module.generate(model, vocab, max_length=8)) for _ in range(50)) <= 7  # <BOS> is a token
    with pytest.raises(ValueError, match=r"lacks \['日', '本'\]: leave these characters out of the prompt"):
        module.generate(model, vocab, "a 日本")
    assert module.generate(model, vocab, temperature=0) == module.generate(model, vocab, do_sample=False)


def test_it_has_at_most_40_lines_of_code_and_imports_torch_safetensors_and_the_standard_library(tmp_path: Path) -> None:
    write_random_folder(tmp_path / "model", SHAPES["one layer"], EMOJI)
    text = (tmp_path / "model" / CODE).read_text(encoding="utf-8")
    docstring, *lines = [line for line in text.splitlines() if line.strip()]
    assert docstring.startswith('"""')
    assert docstring.endswith('"""')
    assert len(lines) <= 40
    imports = {line.split()[1].partition(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert imports == {"json", "pathlib", "torch", "safetensors"}
    assert json.loads((tmp_path / "model" / "vocab.json").read_text(encoding="utf-8"))["<BOS>"] == BOS
