"""A checkpoint round-trips exactly, also while a run replaces the file."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import pytest
import torch
from torch import Tensor

from engine.checkpoints import checkpoint
from engine.checkpoints.checkpoint import load_checkpoint
from engine.checkpoints.header import Header, read_header
from engine.checkpoints.metadata import read_info
from engine.compute.device import generator_states
from engine.config.corpus import CorpusConfig
from engine.config.run import ModelConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.corpus.position import Position
from engine.errors import CheckpointError
from engine.model.gru import TextGenerator
from engine.training.trainer import Trainer
from tests.engine.checkpoints.saved import checkpoint_info, checkpoint_tensors, write_checkpoint
from tests.engine.helpers import CPU, assert_same_tensors, encoded, some_batches

WITH_TABLE = ModelConfig(embedding_size=4, hidden_size=8, ngram_order=4, ngram_contexts=2)
CONTEXTS, SQUARE = "model.ngram_input.contexts", "optimizer.row_square.ngram_input.weight"
AWKWARD = checkpoint_info(
    corpus=CorpusConfig(files=("/tmp/with blank/ünïcode.csv", "b.csv"), column="tweet", overfit=200),
    training=TrainingConfig(max_seconds=0.1 + 0.2, learning_rate=1e-8, seed=2**63 - 1, schedule="cosine"),
    sampling=SamplingConfig(prime=' "\\', temperature=0.05),
    vocab=("a", '"', "\\", "😀", "\u200d", " ", "é"),
    position=Position(epoch=10**6, batch=10**9),
    train_loss=1 / 3,
    val_loss=2 / 3,
    bits_per_char=0.1,
    best_bits_per_char=5e-324,
)


def test_a_checkpoint_round_trips(tmp_path: Path) -> None:
    tensors = checkpoint_tensors()

    loaded = load_checkpoint(write_checkpoint(tmp_path / "one.safetensors", tensors))

    assert loaded.info == checkpoint_info()
    assert loaded.vocab.chars == checkpoint_info().vocab
    assert_same_tensors(loaded.tensors, tensors)
    assert all(loaded.tensors[name].dtype == tensor.dtype for name, tensor in tensors.items())


def test_awkward_texts_and_numbers_round_trip_exactly(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "one.safetensors", {}, **vars(AWKWARD))

    assert read_info(path)[0] == AWKWARD


def tensors_with_table(contexts: tuple[int, int] = (-(2**42), 2**63 - 1)) -> dict[str, Tensor]:
    """Return all tensors of a model with an n-gram input after one step."""
    torch.manual_seed(0)
    model = TextGenerator.from_config(len(encoded()[1]), WITH_TABLE)
    assert model.ngram_input is not None
    model.ngram_input.contexts.copy_(torch.tensor(contexts))
    trainer = Trainer(model, TrainingConfig(), CPU)
    trainer.step(some_batches(1)[0], 0.004)
    return trainer.state() | {f"generator.{name}": state for name, state in generator_states(CPU.device).items()}


def test_a_table_its_contexts_and_one_square_per_row_round_trip(tmp_path: Path) -> None:
    tensors = tensors_with_table()
    tensors[SQUARE] = torch.tensor([0.0, torch.inf, 1.0])  # an overflowed square does no harm

    loaded = load_checkpoint(write_checkpoint(tmp_path / "one.safetensors", tensors, model=WITH_TABLE))

    assert loaded.info.model == WITH_TABLE
    assert_same_tensors(loaded.tensors, tensors)
    ngrams = loaded.to_model(CPU.device).ngram_input
    assert ngrams is not None
    assert ngrams.contexts.tolist() == [-(2**42), 2**63 - 1]
    own = {name: tensor.shape for name, tensor in tensors.items() if "optimizer" in name and "ngram_input" in name}
    assert own == {"optimizer.step.ngram_input.weight": (), SQUARE: (3,)}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        pytest.param({CONTEXTS: torch.tensor([4, 4])}, "contexts is not in ascending order", id="a context twice"),
        pytest.param({CONTEXTS: torch.tensor([5, 4])}, "contexts is not in ascending order", id="falling contexts"),
        pytest.param({SQUARE: torch.tensor([0.0, -1.0, 0.0])}, "has negative values", id="a negative square"),
        pytest.param({SQUARE: torch.tensor([0.0, torch.nan, 0.0])}, "has non-finite values", id="a square that is NaN"),
        pytest.param({SQUARE: torch.zeros(2)}, "do not fit", id="squares of another table"),
        pytest.param({SQUARE: None}, "do not fit", id="no squares"),
        pytest.param({"optimizer.exp_avg.ngram_input.weight": torch.zeros(3, 5)}, "do not fit", id="moments"),
        pytest.param({"model.ngram_input.weight": torch.zeros(3, 9)}, "do not fit", id="rows of another size"),
    ],
)
def test_a_damaged_table_or_optimizer_of_it_is_refused(
    tmp_path: Path, changes: dict[str, Tensor | None], problem: str
) -> None:
    tensors = {name: tensor for name, tensor in (tensors_with_table() | changes).items() if tensor is not None}
    path = write_checkpoint(tmp_path / "one.safetensors", tensors, model=WITH_TABLE)
    with pytest.raises(CheckpointError, match=problem):
        load_checkpoint(path)


def test_a_checkpoint_that_is_replaced_while_it_is_read_is_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = checkpoint_tensors()
    newer = {name: tensor + 1 if name.startswith("model.") else tensor for name, tensor in tensors.items()}
    path = write_checkpoint(tmp_path / "latest.safetensors", tensors)

    def read_and_replace(file: BinaryIO) -> Header:
        header = read_header(file)
        write_checkpoint(path, newer, step=3, corpus_name="x" * 1000)  # a header of another length
        return header

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "read_header", read_and_replace)
        old = load_checkpoint(path)

    assert old.info == checkpoint_info()
    assert_same_tensors(old.tensors, tensors)
    assert_same_tensors(load_checkpoint(path).tensors, newer)
