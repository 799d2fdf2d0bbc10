"""A checkpoint gives back all that was put in, exactly."""

from __future__ import annotations

from pathlib import Path

from engine.checkpoint import load_checkpoint
from engine.checkpoint_info import read_info
from engine.config import SamplingConfig, TrainingConfig
from engine.corpus.position import Position
from engine.corpus_config import CorpusConfig
from tests.engine.checkpoints import checkpoint_info, checkpoint_tensors, write_checkpoint
from tests.engine.helpers import assert_same_tensors

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


def test_everything_that_was_saved_comes_back(tmp_path: Path) -> None:
    tensors = checkpoint_tensors()
    path = write_checkpoint(tmp_path / "one.safetensors", tensors)

    checkpoint = load_checkpoint(path)

    assert checkpoint.info == checkpoint_info()
    assert checkpoint.vocab.chars == checkpoint_info().vocab
    assert_same_tensors(checkpoint.tensors, tensors)
    assert all(checkpoint.tensors[name].dtype == tensor.dtype for name, tensor in tensors.items())


def test_awkward_texts_and_numbers_come_back_exactly(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "one.safetensors", {}, **vars(AWKWARD))

    assert read_info(path)[0] == AWKWARD
