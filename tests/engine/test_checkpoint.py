"""A checkpoint gives back all that was put in, is whole or not there, and is found by its name."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engine.checkpoint import load_checkpoint
from engine.checkpoint_info import read_info
from engine.config import SamplingConfig, TrainingConfig
from engine.corpus.position import Position
from engine.corpus_config import CorpusConfig
from engine.errors import StorageError
from tests.engine.checkpoints import checkpoint_info, checkpoint_tensors, write_checkpoint

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
    assert checkpoint.tensors.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert checkpoint.tensors[name].dtype == tensor.dtype, name
        assert torch.equal(checkpoint.tensors[name], tensor), name


def test_awkward_texts_and_numbers_come_back_exactly(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "one.safetensors", {}, **vars(AWKWARD))

    assert read_info(path)[0] == AWKWARD


def test_the_model_of_a_checkpoint_is_ready_to_write(tmp_path: Path) -> None:
    tensors = checkpoint_tensors()

    model = load_checkpoint(write_checkpoint(tmp_path / "one.safetensors", tensors)).to_model(torch.device("cpu"))

    assert not model.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, tensors[f"model.{name}"]), name


def test_tensors_that_are_views_are_saved_as_what_they_show(tmp_path: Path) -> None:
    whole = torch.arange(12.0).reshape(3, 4)

    path = write_checkpoint(tmp_path / "one.safetensors", {"model.turned": whole.t(), "model.part": whole[1:, 2:]})

    saved = load_file(path)
    assert torch.equal(saved["model.turned"], whole.t())
    assert torch.equal(saved["model.part"], whole[1:, 2:])


def test_saving_leaves_nothing_but_the_file(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "deep" / "er" / "one.safetensors")
    write_checkpoint(tmp_path / "deep" / "er" / "one.safetensors", step=3)

    assert [path.name for path in (tmp_path / "deep" / "er").iterdir()] == ["one.safetensors"]
    assert read_info(tmp_path / "deep" / "er" / "one.safetensors")[0].step == 3


@pytest.mark.parametrize("failing_call", ["fsync", "replace"])
def test_a_disk_that_is_full_leaves_the_old_checkpoint_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing_call: str
) -> None:
    path = write_checkpoint(tmp_path / "one.safetensors")
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, failing_call, full)
    with pytest.raises(StorageError, match="No space left on device") as raised:
        write_checkpoint(path, step=999)
    monkeypatch.undo()

    assert str(path) in raised.value.message
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["one.safetensors"]


def test_a_process_killed_before_the_rename_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_checkpoint(tmp_path / "one.safetensors")
    pid = os.fork()
    if pid == 0:
        monkeypatch.setattr(os, "replace", lambda *_: os._exit(9))
        write_checkpoint(path, {}, step=999)
        os._exit(0)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9

    assert load_checkpoint(path).info.step == 2


def test_a_folder_that_is_a_file_is_told_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("not a folder")

    with pytest.raises(StorageError, match="blocked"):
        write_checkpoint(tmp_path / "blocked" / "one.safetensors")
