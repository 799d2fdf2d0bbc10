"""On a GPU: replayed steps equal eager ones, all results equal the CPU's; whole runs resume, run out of memory."""

from __future__ import annotations

import math
import multiprocessing
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.compute import gpu_step, stepper
from engine.compute.cuda_graphs import new_failures
from engine.compute.device import Runtime, cudnn_supports_bfloat16, wait_for
from engine.compute.gpu_step import bfloat16_copy, supported_precision
from engine.compute.memory import CUDA_ALLOCATOR, free_memory
from engine.compute.stepper import CharStepper
from engine.config.run import RunConfig, RuntimeConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.corpus.arrays import CorpusBatch
from engine.model.gru import TextGenerator
from engine.model.parameters import FlatParameters
from engine.protocol import events as e
from engine.sampling.sampler import TweetSampler
from engine.storage.folders import find_run
from engine.storage.journal import read_journal
from engine.training.evaluation import evaluate
from engine.training.trainer import Trainer
from tests.engine import helpers as h
from tests.engine.compute.gpu.device_steps import RATE, losses_of

pytestmark = pytest.mark.gpu

DEVICE = torch.device("cuda")
CONFIG = TrainingConfig(batch_size=16, weight_decay=0.1, ngram_decay=0.5, max_grad_norm=0.5)
STEPS = 60


def on_cuda(precision: str = "float32") -> Runtime:
    """Return the runtime of a GPU."""
    return replace(h.CPU, device=DEVICE, precision=precision)


def in_new_process(function: Callable[..., None], *args: object) -> None:
    """Call a function of a module in a new process, in which CUDA has not started; raise what it raises."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(function, *args).result(timeout=240)


def new_trainer(runtime: Runtime, *, may_record: bool = True, num_layers: int = 1, dropout: float = 0.0) -> Trainer:
    torch.manual_seed(0)
    model = h.model_with_table(32, 64, num_layers, dropout).to(runtime.device)
    return Trainer(model, CONFIG, runtime, may_record=may_record)


def num_recorded(trainer: Trainer) -> int:
    assert trainer._device_step is not None
    return trainer._device_step.graphs.num_recorded


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_graphs_give_the_losses_of_eager_steps(precision: str, num_layers: int) -> None:
    some = h.some_batches(STEPS, 16)
    recorded = new_trainer(on_cuda(precision), num_layers=num_layers)
    eager = new_trainer(on_cuda(precision), may_record=False, num_layers=num_layers)
    graphs, plain = losses_of(recorded, some), losses_of(eager, some)
    assert num_recorded(recorded) >= 1
    assert num_recorded(eager) == 0
    assert graphs == pytest.approx(plain, rel=0.02 if precision == "bfloat16" else 2e-3)
    assert graphs[-1] < graphs[0] - 0.5


@pytest.mark.parametrize("num_layers", [1, 2])
def test_dropout_masks_differ_between_replays_and_equal_those_of_eager_steps(num_layers: int) -> None:
    [batch] = h.some_batches(1, 16)

    found = []
    for may_record in (True, False):
        trainer = new_trainer(on_cuda(), may_record=may_record, num_layers=num_layers, dropout=0.5)
        torch.cuda.manual_seed(5)
        found.append(losses_of(trainer, [batch] * 10, rate=0.0))
        assert num_recorded(trainer) == may_record
    assert len(set(found[0])) == 10
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_a_recorded_step_that_is_not_finite_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    factor = torch.ones((), device="cuda")
    sound = gpu_step.mean_loss
    monkeypatch.setattr(gpu_step, "mean_loss", lambda *args: sound(*args) * factor)
    trainer, [batch] = new_trainer(on_cuda()), h.some_batches(1, 16)
    losses_of(trainer, [batch] * 6)
    assert num_recorded(trainer) == 1
    before = h.copy_of_state(trainer)
    factor.fill_(math.nan)
    assert all(math.isnan(loss) for loss in losses_of(trainer, [batch]))
    h.assert_same_tensors(trainer.state(), before)
    factor.fill_(1.0)
    assert losses_of(trainer, [batch] * 2)[1] < math.inf


def assert_uses_cudnns_weights(work: Callable[[], object]) -> None:
    """Assert that no GRU copies its weights: torch warns that they are "not part of single contiguous chunk"."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        work()
    torch.cuda.synchronize()


@pytest.mark.parametrize("sizes", [(32, 64), (24, 100), (130, 130)], ids=str)
def test_cudnn_uses_the_flat_weights_of_model_average_and_bfloat16_copy_in_place(sizes: tuple[int, int]) -> None:
    torch.manual_seed(0)
    model = TextGenerator(len(h.encoded()[1]), *sizes).to("cuda")
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    trainer = Trainer(model, replace(CONFIG, average_lag=0.1), on_cuda(), may_record=False)
    h.assert_same_tensors(model.state_dict(), before)
    ids = torch.from_numpy(h.some_batches(1, 16)[0].inputs).to("cuda")
    assert_uses_cudnns_weights(lambda: losses_of(trainer, h.some_batches(3, 16)))
    assert_uses_cudnns_weights(lambda: model(ids))
    assert_uses_cudnns_weights(lambda: trainer.eval_model(ids))
    assert trainer.eval_model is not model
    if cudnn_supports_bfloat16():
        rounded, _ = bfloat16_copy(model, FlatParameters(model))
        assert_uses_cudnns_weights(lambda: rounded(ids))


def test_recorded_steps_of_a_rank_with_half_of_the_gradient_equal_those_of_the_whole() -> None:
    """The sum over ranks, which is not recorded, doubles the gradient of a loss divided by twice the targets."""
    some = h.some_batches(STEPS, 16)
    expected = losses_of(new_trainer(on_cuda()), some)
    torch.manual_seed(0)

    def double(both: torch.Tensor) -> None:
        both.mul_(2.0)

    rank = Trainer(h.model_with_table(32, 64).to("cuda"), CONFIG, on_cuda(), sum_over_ranks=double)
    found = losses_of(rank, [CorpusBatch(batch.tweets, batch.rows, 2 * batch.num_targets) for batch in some])
    assert num_recorded(rank) >= 2  # the gradient of each length, and the update
    assert found == pytest.approx(expected, rel=2e-3)
    assert rank.flat.checksum() == FlatParameters(rank.model).checksum()


# All that a GPU computes ----------------------------------------------------------------------------------------------


def new_model(hidden_size: int = 64, num_layers: int = 1) -> TextGenerator:
    torch.manual_seed(0)
    model = h.model_with_table(hidden_size, hidden_size, num_layers)
    model.get_parameter("ngram_input.weight").data[1:].normal_(std=0.1)
    return model


def trained(model: TextGenerator, runtime: Runtime) -> list[float]:
    """Train the model for 30 steps; return their losses."""
    config = TrainingConfig(batch_size=16, max_grad_norm=0.5)
    return losses_of(Trainer(model.to(runtime.device), config, runtime), h.some_batches(30, 16))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("hidden_size", [64, 100, 130, 160, 192, 256])
def test_every_hidden_size_trains_as_on_the_cpu(hidden_size: int, precision: str) -> None:
    precision = supported_precision(new_model(hidden_size).to(DEVICE), 16, precision)
    found = trained(new_model(hidden_size), on_cuda(precision))
    expected = trained(new_model(hidden_size), h.CPU)
    assert found == pytest.approx(expected, rel=0.03 if precision == "bfloat16" else 0.01)


@pytest.mark.parametrize("num_layers", [1, 2])
def test_an_evaluation_equals_that_of_the_cpu(num_layers: int) -> None:
    model, tweets = new_model(num_layers=num_layers), h.encoded()[0]
    expected = evaluate(model, tweets).total_nats
    assert evaluate(model.to(DEVICE), tweets).total_nats == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("num_layers", [1, 2])
def test_a_recorded_character_has_the_probabilities_of_the_cpu(num_layers: int) -> None:
    model, token_ids = new_model(num_layers=num_layers), torch.randint(4, 20, (30, 1)).numpy()
    plain = CharStepper(model, may_compile=False)
    expected = [plain.step(one) for one in token_ids]
    recorded, other = (CharStepper(model.to(DEVICE)) for _ in range(2))
    found = [each.step(one) for one in token_ids for each in (recorded, other)]
    assert np.allclose(found[::2], expected, rtol=1e-3, atol=1e-3)
    assert np.array_equal(found[1::2], found[::2])
    assert stepper._GRAPHS[model.device].steps.num_recorded == 1


def test_many_tweets_are_sampled_while_graphs_are_recorded_and_freed() -> None:
    model, vocab = new_model(), h.encoded()[1]
    trained(model, on_cuda())
    config = SamplingConfig(max_length=30)
    one_by_one, again = (
        [TweetSampler(model, vocab, config, [seed]).results()[0] for seed in range(20)] for _ in range(2)
    )
    assert [tweet.text for tweet in one_by_one] == [tweet.text for tweet in again]
    together = TweetSampler(model, vocab, config, range(20)).results()
    assert sum(one.text == other.text for one, other in zip(one_by_one, together, strict=True)) >= 15


# Runs -----------------------------------------------------------------------------------------------------------------


def plain_trainer() -> Trainer:
    """Return a trainer of a model without a table."""
    torch.manual_seed(0)
    return Trainer(TextGenerator(len(h.encoded()[1]), 32, 64).to(DEVICE), TrainingConfig(batch_size=16), on_cuda())


def resume_deterministically(folder: Path) -> None:
    """Check that a run and a resumed one have the same losses, bit for bit."""
    with h.home_at(folder):
        corpus = h.write_corpus(folder)
        config = h.tiny_config(
            corpus, hidden_size=64, num_layers=2, max_steps=40, dropout=0.2, sample_every=7, eval_every=9
        )
        config = replace(config, runtime=RuntimeConfig(device="cuda", deterministic=True))
        whole = h.run_session(config)
        again = h.run_session(replace(config, run_name="again"))
        h.run_session(replace(config, run_name="half"), h.stop_at(20))
        resumed = h.run_session(RunConfig(resume="half", runtime=config.runtime))
    assert h.only(resumed, e.RunStarted).device == DEVICE.type
    assert h.losses(again) == h.losses(whole)
    assert h.losses(resumed) == {step: loss for step, loss in h.losses(whole).items() if step > 20}
    texts = [[tweet.text for tweet in h.of_type(emitted, e.TweetSampled)] for emitted in (whole, again)]
    assert texts[0] == texts[1] != []


def test_a_deterministic_run_is_repeated_and_resumed_bit_for_bit(tmp_path: Path) -> None:
    in_new_process(resume_deterministically, tmp_path)


def test_a_step_that_runs_out_of_memory_can_be_repeated() -> None:
    trainer, [batch] = plain_trainer(), h.some_batches(1, 16)
    trainer.step(batch, RATE)
    wait_for(DEVICE)
    free_memory(DEVICE)
    before = h.copy_of_state(trainer)
    rows = batch.rows.repeat(4000)
    huge = batch.tweets.batch(rows)
    total = torch.cuda.get_device_properties(DEVICE).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 2**26) / total)
    try:
        with pytest.raises(torch.OutOfMemoryError):
            trainer.step(huge, RATE)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert trainer.is_consistent
    h.assert_same_tensors(trainer.state(), before)
    trainer.free_memory()
    trainer.step(batch, RATE)
    assert len(trainer.drain_report().train_losses) == 2


@pytest.mark.parametrize("num_failures", [1, 2])
def test_a_recording_that_runs_out_of_memory_is_tried_again(monkeypatch: pytest.MonkeyPatch, num_failures: int) -> None:
    trainer, [batch] = plain_trainer(), h.some_batches(1, 16)
    sound, fails = gpu_step.mean_loss, iter([True] * num_failures)

    def tight(*args: torch.Tensor) -> torch.Tensor:
        loss = sound(*args)  # type: ignore[arg-type] # passed on as they are
        if torch.cuda.is_current_stream_capturing() and next(fails, False):
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return loss

    monkeypatch.setattr(gpu_step, "mean_loss", tight)
    for _ in range(7):
        trainer.step(batch, RATE)
    assert len(trainer.drain_report().train_losses) == 7
    assert num_recorded(trainer) == (1 if num_failures == 1 else 0)
    assert CUDA_ALLOCATOR.is_sound


def fail_to_record() -> None:
    """Check that training goes on after a recording that failed, and that the sampling of tweets is recorded."""
    sound = gpu_step.mean_loss

    def reads_a_value(*args: torch.Tensor) -> torch.Tensor:
        loss = sound(*args)  # type: ignore[arg-type] # passed on as they are
        loss.item()
        return loss

    gpu_step.mean_loss = reads_a_value  # type: ignore[assignment] # the same but for its arguments' names
    first, second, [batch] = plain_trainer(), plain_trainer(), h.some_batches(1, 16)
    for trainer in (first, second):
        for _ in range(6):
            trainer.step(batch, RATE)
        trainer.free_memory()
        trainer.step(batch, RATE)
    assert CUDA_ALLOCATOR.is_sound
    assert [trainer.num_graphs for trainer in (first, second)] == [0, 0]
    assert len(new_failures(set())) == 1
    TweetSampler(first.model, h.encoded()[1], SamplingConfig(max_length=30), [1]).results()
    assert stepper._GRAPHS[first.model.device].steps.num_recorded == 1
    reports = [trainer.drain_report().train_losses for trainer in (first, second)]
    assert len(reports[0]) == 7
    assert reports[0] == pytest.approx(reports[1], rel=1e-3)


def test_training_continues_after_a_recording_that_failed() -> None:
    in_new_process(fail_to_record)


def test_all_checks_of_doctor_pass(home: Path) -> None:
    """In a process of its own, whose last check leaves torch's allocator as a failed recording does."""
    command = [sys.executable, "-m", "tui", "doctor", "--gpu"]
    environment = {**os.environ, "TWEETGEN_HOME": str(home)}
    ended = subprocess.run(command, check=False, timeout=240, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("PASS") >= 12  # only bfloat16 may be skipped


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there are fewer than two GPUs")
def test_two_gpus_train_as_one_does(home: Path, corpus: Path) -> None:
    options = ["--data", str(corpus), "--max-steps", "30", "--seed", "3", "--device", "cuda", "--batch-size", "16"]
    found = []
    for count in (1, 2):
        name = f"on-{count}"
        command = [sys.executable, "-m", "tui", "train", *options, "--run-name", name, "--nproc-per-node", str(count)]
        subprocess.run(command, check=True, timeout=240, env={**os.environ, "TWEETGEN_HOME": str(home)})
        found.append(h.losses(read_journal(find_run(name).journal_path)))
    assert found[1] == pytest.approx(found[0], rel=0.02)
