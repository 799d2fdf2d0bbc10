"""The file's metadata, its weights, and the checkpoints that don't become one."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from engine.checkpoints.checkpoint import Checkpoint, load_checkpoint
from engine.checkpoints.metadata import CheckpointInfo
from engine.config.run import MAX_NGRAM_CONTEXTS, ModelConfig
from engine.errors import CheckpointError, StorageError
from engine.export.onnx_file.write import onnx_file
from engine.model.vocab import BOS, EOS, PAD, SPECIALS, UNK
from engine.storage.versions import installed_version
from tests.engine.checkpoints.saved import checkpoint_info, checkpoint_tensors, write_checkpoint


def checkpoint(**changes: object) -> Checkpoint:
    """Return a small checkpoint without a file."""
    return Checkpoint(checkpoint_info(**changes), checkpoint_tensors())


def metadata_of(info: Checkpoint) -> dict[str, str]:
    """Return the metadata as onnxruntime reads them."""
    session = onnxruntime.InferenceSession(onnx_file(info), providers=["CPUExecutionProvider"])
    found: dict[str, str] = session.get_modelmeta().custom_metadata_map
    return found


def test_the_metadata_name_the_symbols_their_special_ids_the_run_and_its_figures() -> None:
    saved = checkpoint(bits_per_char=2.125, last_eval_step=1, val_loss=1.5)
    found = metadata_of(saved)
    assert json.loads(found.pop("vocab")) == list(saved.vocab.itos)
    assert found == {
        "pad_token_id": str(PAD),
        "bos_token_id": str(BOS),
        "eos_token_id": str(EOS),
        "unk_token_id": str(UNK),
        "run": "a run",
        "step": "2",
        "bits_per_char": "2.125",
        "evaluated_at_step": "1",
    }


def test_a_checkpoint_without_an_evaluation_on_all_tweets_has_no_figure_of_one() -> None:
    early = checkpoint(bits_per_char=2.125, last_eval_step=1, val_loss=1.5, is_eval_early=True)
    for each in (checkpoint(), early):
        assert not {"bits_per_char", "evaluated_at_step"} & metadata_of(each).keys()


def test_any_characters_and_the_name_of_a_foreign_run_survive_as_text() -> None:
    chars = ("😀", "\u200f", "ש", '"', "\\", "\ud800", "\x1b", "漢", "<")
    spare = tuple(chr(0x4E00 + number) for number in range(len(checkpoint_info().vocab) - len(chars)))
    found = metadata_of(checkpoint(vocab=(*chars, *spare), run="\x1b[31m\ud800 <b>run</b>"))
    assert found["vocab"].isascii()
    assert json.loads(found["vocab"])[len(SPECIALS) :] == [*chars, *spare]
    assert found["run"].endswith("<b>run</b>")
    assert "\x1b" not in found["run"]


def test_the_file_names_its_producer_and_imports_one_set_of_operators_that_readers_of_2021_have() -> None:
    model = onnx.load_from_string(onnx_file(checkpoint()))
    assert (model.producer_name, model.producer_version) == ("tweetgen-tui", installed_version("tweetgen-tui"))
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 13)]
    assert model.ir_version == 7


def test_the_weights_are_the_averaged_ones_if_there_are_any(tmp_path: Path) -> None:
    tensors = checkpoint_tensors()
    average = {name.replace("model.", "average."): tensor + 1 for name, tensor in tensors.items() if "model." in name}
    lag = replace(checkpoint_info().training, average_lag=0.1)
    path = write_checkpoint(tmp_path / "averaged.safetensors", tensors | average, training=lag)
    graph = onnx.load_from_string(onnx_file(load_checkpoint(path))).graph
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    np.testing.assert_array_equal(weights["proj.bias"], average["average.proj.bias"].numpy())


def test_the_same_checkpoint_gives_the_same_bytes() -> None:
    assert onnx_file(checkpoint()) == onnx_file(checkpoint())


@pytest.mark.parametrize(
    "model",
    [
        ModelConfig(hidden_size=8192, num_layers=3),
        ModelConfig(hidden_size=8192, num_layers=1, ngram_order=4, ngram_contexts=MAX_NGRAM_CONTEXTS),
    ],
)
def test_weights_beyond_the_limit_of_the_format_are_refused_before_a_graph_is_made(model: ModelConfig) -> None:
    info: CheckpointInfo = checkpoint_info(model=model)
    with pytest.raises(CheckpointError, match=r"weights are [2-4]\.\d GB") as caught:
        onnx_file(Checkpoint(info, {}))
    assert "checkpoints export" in caught.value.hint


def test_without_the_package_the_error_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(StorageError, match="package onnx, which is not installed") as caught:
        onnx_file(checkpoint())
    assert "pip install onnx" in caught.value.hint
