"""A checkpoint round-trips exactly, also while a run replaces the file; its copy in memory is laid out as the file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import BinaryIO

import pytest
import torch
from safetensors.torch import load, save

from engine.checkpoints import checkpoint
from engine.checkpoints.checkpoint import load_checkpoint
from engine.checkpoints.header import Header, encode_header, read_header
from engine.checkpoints.host_copy import HostCopy
from engine.checkpoints.metadata import read_info
from engine.config.corpus import CorpusConfig
from engine.config.run import TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.corpus.position import Position
from tests.engine.checkpoints.saved import CONTEXTS, WITH_TABLE, checkpoint_info, checkpoint_tensors, write_checkpoint
from tests.engine.helpers import CPU, assert_same_tensors

SQUARE = "optimizer.row_square.ngram_input.weight"
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


def test_a_table_its_contexts_and_one_square_per_row_round_trip(tmp_path: Path) -> None:
    tensors = checkpoint_tensors(WITH_TABLE)
    tensors[SQUARE] = torch.tensor([0.0, torch.inf, 1.0])  # an overflowed square does no harm

    loaded = load_checkpoint(write_checkpoint(tmp_path / "one.safetensors", tensors, model=WITH_TABLE))

    assert loaded.info.model == WITH_TABLE
    assert_same_tensors(loaded.tensors, tensors)
    ngrams = loaded.to_model(CPU.device).ngram_input
    assert ngrams is not None
    assert ngrams.contexts.tolist() == [*CONTEXTS]
    own = {name: tensor.shape for name, tensor in tensors.items() if "optimizer" in name and "ngram_input" in name}
    assert own == {"optimizer.step.ngram_input.weight": (), SQUARE: (3,)}


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


# The copy in memory ---------------------------------------------------------------------------------------------------


def test_the_bytes_of_a_copy_are_those_that_safetensors_writes() -> None:
    tensors = checkpoint_tensors()
    copy = HostCopy.of(tensors)

    content = encode_header({"key": "välue"}, copy.specs) + bytes(copy.content)

    assert_same_tensors(load(content), tensors)
    assert len(content) == len(save({name: tensor.clone() for name, tensor in tensors.items()}, {"key": "välue"}))
    assert bytes(copy.content) == save({name: tensor.clone() for name, tensor in tensors.items()})[-len(copy.buffer) :]


def test_later_changes_of_tensors_are_not_in_the_copy_and_its_buffer_is_reused_where_it_fits() -> None:
    weight = torch.ones(3, 2)
    tensors = {"model.embed.weight": weight, "model.proj.weight": weight, "scalar": torch.tensor(2.0)}
    expected = {name: tensor.clone() for name, tensor in tensors.items()}

    copy = HostCopy.of(tensors)
    weight.zero_()

    assert_same_tensors(copy.tensors, expected)
    again = HostCopy.of(tensors, copy)
    assert again.buffer is copy.buffer
    assert_same_tensors(again.tensors, tensors)
    assert HostCopy.of({"bias": torch.ones(2)}, copy).buffer is not copy.buffer


@pytest.mark.parametrize(("value", "is_sound"), [(math.inf, True), (math.nan, False), (-math.inf, False)])
def test_an_infinite_second_moment_counts_as_finite_and_nothing_else_that_is_not_finite_does(
    value: float, *, is_sound: bool
) -> None:
    tensors = checkpoint_tensors()
    assert HostCopy.of({**tensors, "model.proj.bias": torch.full((9,), 3e38)}).is_finite  # their sum is not
    tensors["optimizer.exp_avg_sq.proj.bias"][0] = value
    assert HostCopy.of(tensors).is_finite is is_sound
    tensors["optimizer.exp_avg_sq.proj.bias"][0] = 0.0
    tensors["optimizer.exp_avg.proj.bias"][0] = value
    assert not HostCopy.of(tensors).is_finite


@pytest.mark.gpu
def test_tensors_of_a_gpu_are_copied_to_pinned_memory_before_later_work_changes_them() -> None:
    weight = torch.ones(1024, 1024, device="cuda")

    copy = HostCopy.of({"model.proj.weight": weight, "generator.cuda": torch.cuda.get_rng_state()})
    weight.zero_()
    copy.wait()

    assert copy.buffer.is_pinned()
    assert torch.equal(copy.tensors["model.proj.weight"], torch.ones(1024, 1024))
    assert HostCopy.of({"model.proj.weight": weight.cpu()}, copy).buffer is not copy.buffer
