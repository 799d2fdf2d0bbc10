"""Out of memory, a run frees memory and computes in micro-batches, with the same losses."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from syrupy.assertion import SnapshotAssertion

from engine.compute.cpu.packed_batch import PackedBatch
from engine.compute.cpu.step import GruStep
from engine.compute.gpu_step import ResidentTweets
from engine.config.run import TrainingConfig
from engine.errors import DeviceMemoryError
from engine.model.gru import TextGenerator
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.session.session import reportable_error
from engine.storage.folders import find_run
from engine.training.evaluation import EVAL_BATCH_SIZE
from engine.training.out_of_memory import OutOfMemoryRetry
from engine.training.trainer import Trainer
from tests.engine import helpers as h
from tests.engine.compute.gpu.device_steps import RATE, FakeRecorder, losses_of, use_device_step
from tests.engine.session.recorded import lines_of, record

NO_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore")


def new_trainer(dropout: float = 0.0) -> Trainer:
    torch.manual_seed(0)
    return Trainer(TextGenerator(len(h.encoded()[1]), 6, 8, 2, dropout), TrainingConfig(batch_size=8), h.CPU)


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


def test_a_run_computes_parts_that_fit_and_fails_its_weights_saved_where_no_single_tweet_does(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    plain = h.run_tiny(corpus, run_name="plain", num_layers=2, eval_every=3, max_steps=5)
    sizes = limit_memory(monkeypatch, 3)
    evaluates = "engine.compute.cpu.step.ForwardPass.sum_of_losses"
    h.let_fail(monkeypatch, evaluates, NO_MEMORY, lambda _, batch: len(batch.targets) > 5)
    nothing_fits: h.Script = {5: [lambda: limit_memory(monkeypatch, 0, MemoryError())]}
    emitted = h.run_tiny(corpus, nothing_fits, num_layers=2, eval_every=3)
    assert lines_of(emitted) == snapshot
    assert sizes == [2, 2, 2, 2] * 5
    assert h.losses(emitted) == pytest.approx(h.losses(plain), rel=1e-4)
    measured, expected = (h.of_type(each, e.EvalFinished)[0].val_loss for each in (emitted, plain))
    assert measured == pytest.approx(expected, rel=1e-4)
    assert "out of memory" in find_run("tiny").log_path.read_text()


def test_an_evaluation_frees_memory_each_time_it_reads_fewer_tweets_at_once_down_to_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.training.out_of_memory.evaluate", Mock(side_effect=NO_MEMORY))
    monkeypatch.setattr(Trainer, "free_memory", freed := Mock())
    retry = OutOfMemoryRetry(Mock(trainer=new_trainer()), warn := Mock())
    with pytest.raises(DeviceMemoryError, match="not enough memory to evaluate a single tweet"):
        retry.evaluate(h.encoded()[0], lambda: False)
    assert freed.call_count == warn.call_count == EVAL_BATCH_SIZE.bit_length() - 1


def test_a_failed_step_is_repeated_with_the_same_dropout_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    [batch], trainers = h.some_batches(1), []
    for does_fail in (False, True):
        trainer = new_trainer(dropout=0.4)
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


def test_on_a_device_graphs_are_freed_and_small_batches_halved_from_padded_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batches, recorder, warn = h.some_batches(1, 3) * 8, FakeRecorder(), Mock()
    plain = losses_of(new_trainer(), batches)
    use_device_step(monkeypatch, recorder)
    trainer = new_trainer()
    retry = OutOfMemoryRetry(Mock(trainer=trainer), warn)
    for number, batch in enumerate(batches):
        if number == 4:
            target = "engine.compute.gpu_step.mean_loss"
            h.let_fail(monkeypatch, target, NO_MEMORY, lambda _, tokens, *rest: tokens.shape[1] > 5)
        retry.take_step(batch, RATE)
    assert trainer.drain_report().train_losses == pytest.approx(plain, rel=1e-4)
    assert trainer.micro_batch_size == 4
    warn.assert_called_once()
    before = ["warm-up", "warm-up", "record", "replay"]
    assert recorder.log == [*before, "replay", "replay", "discard", *before, "replay"]


def test_a_corpus_that_does_not_fit_a_device_is_a_clear_error(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    use_device_step(monkeypatch, None)
    h.let_fail(monkeypatch, "torch.Tensor.to", NO_MEMORY, lambda tensor, *_: tensor.dtype == torch.uint8)
    assert record(h.tiny_config(corpus)) == snapshot
    h.let_fail(monkeypatch, "torch.Tensor.to", RuntimeError("no kernel"), 1)
    with pytest.raises(RuntimeError, match="no kernel"):
        ResidentTweets(h.encoded()[0], h.CPU.device)


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


@pytest.mark.parametrize("target", ["batches.CorpusBatch", "arrays.EncodedTweets.padded"])
def test_a_batch_that_did_not_fit_once_is_not_lost(corpus: Path, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    plain, calls = h.plain_losses(), count(1)
    h.let_fail(monkeypatch, f"engine.corpus.{target}", MemoryError(), lambda *_: next(calls) == 7)
    assert h.losses(h.run_tiny(corpus)) == plain
    assert next(calls) > 8
