"""Out of memory, a run frees memory and computes in micro-batches, with the same losses."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from syrupy.assertion import SnapshotAssertion

from engine.compute import gpu_step
from engine.compute.cpu.packed_batch import PackedBatch
from engine.compute.cpu.step import GruStep
from engine.config.run import TrainingConfig
from engine.errors import DeviceMemoryError
from engine.model.gru import TextGenerator
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.session.session import reportable_error
from engine.storage.folders import find_run
from engine.training.out_of_memory import OutOfMemoryRetry
from engine.training.trainer import Trainer
from tests.engine import helpers as h
from tests.engine.compute.gpu.device_steps import FakeRecorder, use_device_step
from tests.engine.session.recorded import lines_of, record

NO_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore")
RATE = 2.0**-7


def new_model(dropout: float = 0.0) -> TextGenerator:
    torch.manual_seed(0)
    return TextGenerator(len(h.encoded()[1]), 6, 18, 2, dropout)  # no kernels of another size in float64


def limit_memory(monkeypatch: pytest.MonkeyPatch, num_tweets: int, error: Exception = NO_MEMORY) -> list[int]:
    """Limit the CPU step to that many tweets at once; return the sizes computed."""
    sound, sizes = GruStep._backward, list[int]()

    def tight(self: GruStep, packed: PackedBatch, *rest: Any) -> None:
        if len(packed.order) > num_tweets:
            raise error  # after dropout drew its random numbers
        sizes.append(len(packed.order))
        sound(self, packed, *rest)

    monkeypatch.setattr(GruStep, "_backward", tight)
    return sizes


def limit_device_memory(monkeypatch: pytest.MonkeyPatch, num_tweets: int) -> None:
    """Do the same for the GPU step."""
    target = "engine.compute.gpu_step.mean_loss"
    h.let_fail(monkeypatch, target, NO_MEMORY, lambda _, tokens, *rest: tokens.shape[1] > num_tweets)


# Micro-batches --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("way", "batch_size"), [("here", 8), ("eager", 5), ("graphs", 8), ("graphs", 5)])
def test_micro_batches_equal_a_clipped_whole_batch(monkeypatch: pytest.MonkeyPatch, way: str, batch_size: int) -> None:
    """With 5 tweets in a batch prepared for 8, the last micro-batch on a device is all padding."""
    recorder = FakeRecorder()
    if way != "here":
        use_device_step(monkeypatch, recorder if way == "graphs" else None)
    config = TrainingConfig(batch_size=8, weight_decay=0.1, max_grad_norm=0.3)
    whole, in_parts = (Trainer(new_model().double(), config, h.CPU) for _ in range(2))
    in_parts.set_micro_batch_size(3 if batch_size == 8 else 2)
    for batch in h.some_batches(8, batch_size):
        whole.step(batch, RATE)
        in_parts.step(batch, RATE)
    report, expected = in_parts.drain_report(), whole.drain_report()
    assert report.train_losses == pytest.approx(expected.train_losses, rel=1e-6)  # reported in float32
    assert report.grad_norms == pytest.approx(expected.grad_norms, rel=1e-6)
    assert max(expected.grad_norms) > 0.3
    for name, tensor in in_parts.state().items():
        h.assert_close_tensors(tensor, whole.state()[name], rtol=1e-9, atol=1e-12)
    assert "replay" in recorder.log or way != "graphs"


# Steps ----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("error", [NO_MEMORY, MemoryError()], ids=repr)
def test_a_batch_is_split_until_its_parts_fit(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion, error: Exception
) -> None:
    plain = h.plain_losses(num_layers=2)
    sizes = limit_memory(monkeypatch, 3, error)
    emitted = h.run_tiny(corpus, num_layers=2)
    assert lines_of(emitted) == snapshot
    assert h.losses(emitted) == pytest.approx(plain, rel=1e-4)
    assert sizes == [2, 2, 2, 2] * 12
    assert "out of memory" in find_run("tiny").log_path.read_text() or error is not NO_MEMORY


def test_a_failed_step_is_repeated_with_the_same_dropout_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    batch, trainers = h.some_batches(1)[0], []
    for does_fail in (False, True):
        trainer = Trainer(new_model(dropout=0.4), TrainingConfig(), h.CPU)
        trainer.step(batch, RATE)
        with monkeypatch.context() as patch:
            if does_fail:
                limit_memory(patch, 5)
                with pytest.raises(torch.OutOfMemoryError):
                    trainer.step(batch, RATE)
            trainer.set_micro_batch_size(4)
            trainer.step(batch, RATE)
        trainer.step(batch, RATE)
        trainers.append(trainer)
    undisturbed, disturbed = trainers
    assert disturbed.drain_report() == undisturbed.drain_report()
    h.assert_same_tensors(disturbed.state(), undisturbed.state())


def test_if_no_single_tweet_fits_the_run_fails_its_weights_saved(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    assert record(h.tiny_config(corpus), {5: [lambda: limit_memory(monkeypatch, 0)]}) == snapshot


def test_on_a_device_graphs_are_freed_and_losses_unchanged(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, plain = FakeRecorder(), h.plain_losses(max_steps=24)
    use_device_step(monkeypatch, recorder)
    emitted = h.run_tiny(corpus, {12: [lambda: limit_device_memory(monkeypatch, 3)]}, max_steps=24)
    assert h.losses(emitted) == pytest.approx(plain, rel=1e-4)
    assert ["parts" in event.message for event in h.of_type(emitted, e.Warned)] == [True, True]
    log = recorder.log
    last_discard = len(log) - log[::-1].index("discard")
    assert log.index("discard") > log.index("replay")
    assert "record" in log[last_discard:]


def test_on_a_device_a_small_batch_is_halved_from_its_padded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    use_device_step(monkeypatch, None)
    trainer, [batch] = Trainer(new_model(), TrainingConfig(batch_size=8), h.CPU), h.some_batches(1, 3)
    limit_device_memory(monkeypatch, 5)
    warn = Mock()
    OutOfMemoryRetry(Mock(trainer=trainer), warn).take_step(batch, RATE)
    assert trainer.micro_batch_size == 4
    warn.assert_called_once()


def test_a_corpus_that_does_not_fit_a_device_is_a_clear_error(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    no_room = DeviceMemoryError("The tweets, 4 MB, do not fit into the memory of cuda:0.", "Quit other programs.")
    use_device_step(monkeypatch, None)
    monkeypatch.setattr(gpu_step, "resident_tweets", Mock(side_effect=no_room))
    assert record(h.tiny_config(corpus)) == snapshot


# Everything else ------------------------------------------------------------------------------------------------------
def test_an_evaluation_that_does_not_fit_uses_smaller_batches(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = h.run_tiny(corpus, run_name="plain", eval_every=5)
    target = "engine.compute.cpu.step.ForwardPass.sum_of_losses"
    h.let_fail(monkeypatch, target, NO_MEMORY, lambda _, batch: len(batch.targets) > 5)
    emitted = h.run_tiny(corpus, eval_every=5)
    values, expected = ([event.val_loss for event in h.of_type(each, e.EvalFinished)] for each in (emitted, plain))
    assert values == pytest.approx(expected, rel=1e-5)
    assert h.losses(emitted) == h.losses(plain)
    assert len(h.of_type(emitted, e.Warned)) == 4


def test_without_memory_tweets_are_skipped_and_questions_refused(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.setattr("engine.session.sampling.TweetSampler", Mock(side_effect=NO_MEMORY))
    monkeypatch.setattr("engine.session.sampling.complete", Mock(side_effect=MemoryError()))
    asked: h.Script = {3: [c.SampleNow()], 4: [c.CompleteText(text="the", request=1)]}
    assert record(h.tiny_config(corpus, sample_every=5), asked) == snapshot


@pytest.mark.parametrize(("method", "error"), [("of", NO_MEMORY), ("wait", MemoryError())], ids=["copy", "write"])
def test_a_checkpoint_missed_for_lack_of_memory_is_reported_once_saving_works(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, method: str, error: Exception
) -> None:
    def is_of_step_3(copy: Any, *_: object) -> bool:
        return bool(getattr(copy, "tensors", copy).get("optimizer.step.proj.bias") == 3)

    h.let_fail(monkeypatch, f"engine.checkpoints.checkpoint.HostSnapshot.{method}", error, is_of_step_3)
    emitted = h.run_tiny(corpus, save_every=3, max_steps=5)
    assert h.of_type(emitted, e.Warned)[-1].message == "Saving works again. Not saved: step-3."


def test_out_of_memory_errors_have_their_own_title_and_hint() -> None:
    for error in (
        NO_MEMORY,
        RuntimeError("MPS backend out of memory (allocated 9 GB)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory: you tried ..."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
        MemoryError("Unable to allocate 9 GiB"),
    ):
        emitted = reportable_error(error, "The traceback is in the log.")
        assert emitted.title == "The device is out of memory", error
        assert emitted.message == str(error).splitlines()[0]
        assert "batch-size" in emitted.hint


@pytest.mark.parametrize("part", ["padded", "lengths_of"])
def test_a_batch_that_did_not_fit_once_is_not_lost(corpus: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    plain, calls, target = h.plain_losses(), count(1), f"engine.corpus.arrays.EncodedTweets.{part}"
    h.let_fail(monkeypatch, target, MemoryError(), lambda *_: next(calls) == 7)
    assert h.losses(h.run_tiny(corpus)) == plain
    assert next(calls) > 8
