"""On a GPU: whole runs are saved and resumed, run out of memory and survive a recording that fails."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.compute.device import wait_for
from engine.compute.gpu import train_step as device_step
from engine.compute.memory import CUDA_ALLOCATOR, free_memory
from engine.config.run import RunConfig, RuntimeConfig, Setting, TrainingConfig
from engine.model.gru import TextGenerator
from engine.protocol import events as e
from engine.storage.folders import find_run
from engine.storage.journal_reader import read_journal
from engine.training.trainer import Trainer
from tests.engine.compute.gpu.cuda import DEVICE, in_new_process, on_cuda
from tests.engine.helpers import (
    assert_same_tensors,
    copy_of_state,
    encoded,
    home_at,
    losses,
    of_type,
    only,
    run_session,
    some_batches,
    stop_at,
    tiny_config,
    write_corpus,
)

pytestmark = pytest.mark.gpu

RATE = 2.0**-7


def new_trainer(batch_size: int = 16, hidden_size: int = 64) -> Trainer:
    torch.manual_seed(0)
    model = TextGenerator(len(encoded()[1]), 32, hidden_size).to(DEVICE)
    return Trainer(model, TrainingConfig(batch_size=batch_size), on_cuda())


def config_on_gpu(corpus: Path | None, *, deterministic: bool = False, **settings: Setting) -> RunConfig:
    runtime = RuntimeConfig(device=DEVICE.type, deterministic=deterministic)  # type: ignore[arg-type] # a device type
    config = tiny_config(corpus)
    chosen = {**config.settings, "hidden_size": 64, "max_steps": 40, "dropout": 0.2, **settings}
    return replace(config, settings=chosen, runtime=runtime)


# saving and resuming --------------------------------------------------------------------------------------------------


def test_a_run_on_a_gpu_is_resumed_where_it_stopped(corpus: Path) -> None:
    expected = losses(run_session(config_on_gpu(corpus)))
    config = replace(config_on_gpu(corpus), run_name="half")
    run_session(config, stop_at(20))
    emitted = run_session(RunConfig(resume="half", runtime=config.runtime))
    assert only(emitted, e.RunStarted).device == DEVICE.type
    assert losses(emitted) == pytest.approx({n: loss for n, loss in expected.items() if n > 20}, rel=0.01)


def resume_deterministically(folder: Path) -> None:
    """Check that a run and a resumed one have the same losses, bit for bit."""
    with home_at(folder):
        corpus = write_corpus(folder)
        config = config_on_gpu(corpus, deterministic=True, sample_every=7, eval_every=9)
        whole = run_session(config)
        again = run_session(replace(config, run_name="again"))
        run_session(replace(config, run_name="half"), stop_at(20))
        resumed = run_session(RunConfig(resume="half", runtime=config.runtime))
    assert losses(again) == losses(whole)
    assert losses(resumed) == {step: loss for step, loss in losses(whole).items() if step > 20}
    texts = [[tweet.text for tweet in of_type(emitted, e.TweetSampled)] for emitted in (whole, again)]
    assert texts[0] == texts[1] != []


def test_a_deterministic_run_is_repeated_and_resumed_bit_for_bit(tmp_path: Path) -> None:
    in_new_process(resume_deterministically, tmp_path)


# memory ---------------------------------------------------------------------------------------------------------------


def test_a_step_that_runs_out_of_memory_can_be_repeated() -> None:
    trainer, [batch] = new_trainer(), some_batches(1, 16)
    trainer.step(batch, RATE)
    wait_for(DEVICE)
    free_memory(DEVICE)
    before = copy_of_state(trainer)
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
    assert_same_tensors(trainer.state(), before)
    trainer.free_memory()
    trainer.step(batch, RATE)
    assert len(trainer.drain_report().train_losses) == 2


def test_a_recording_that_runs_out_of_memory_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, [batch] = new_trainer(), some_batches(1, 16)
    sound, fails = device_step.mean_loss, iter([True])

    def tight(*args: torch.Tensor) -> torch.Tensor:
        loss = sound(*args)  # type: ignore[arg-type] # passed on as they are
        if torch.cuda.is_current_stream_capturing() and next(fails, False):
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return loss

    monkeypatch.setattr(device_step, "mean_loss", tight)
    for _ in range(2):
        trainer.step(batch, RATE)
    before = copy_of_state(trainer)
    with pytest.raises(torch.OutOfMemoryError):
        trainer.step(batch, RATE)
    assert trainer.is_consistent
    assert_same_tensors(trainer.state(), before)
    trainer.free_memory()  # as the session does before it tries again
    for _ in range(4):
        trainer.step(batch, RATE)
    assert trainer._device_step is not None
    assert trainer._device_step._steps.num_recorded == 1
    assert CUDA_ALLOCATOR.is_sound


def fail_to_record() -> None:
    """Check that training goes on after a recording that failed, also that of another trainer."""
    sound = device_step.mean_loss

    def reads_a_value(*args: torch.Tensor) -> torch.Tensor:
        loss = sound(*args)  # type: ignore[arg-type] # passed on as they are
        loss.item()
        return loss

    device_step.mean_loss = reads_a_value  # type: ignore[assignment] # the same but for its arguments' names
    first, second, [batch] = new_trainer(), new_trainer(), some_batches(1, 16)
    for trainer in (first, second):
        for _ in range(6):
            trainer.step(batch, RATE)
        trainer.free_memory()
        trainer.step(batch, RATE)
    assert not CUDA_ALLOCATOR.is_sound
    reports = [trainer.drain_report().train_losses for trainer in (first, second)]
    assert len(reports[0]) == 7
    assert reports[0] == pytest.approx(reports[1], rel=1e-3)


def test_training_continues_after_a_recording_that_failed() -> None:
    in_new_process(fail_to_record)


# several GPUs ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there are fewer than two GPUs")
def test_two_gpus_train_as_one_does(home: Path, corpus: Path) -> None:
    options = ["--data", str(corpus), "--max-steps", "30", "--seed", "3", "--device", "cuda", "--batch-size", "16"]
    found = []
    for count in (1, 2):
        name = f"on-{count}"
        command = [sys.executable, "-m", "tui", "train", *options, "--run-name", name, "--nproc-per-node", str(count)]
        subprocess.run(command, check=True, timeout=240, env={**os.environ, "TWEETGEN_HOME": str(home)})
        found.append(losses(read_journal(find_run(name).journal_path)))
    assert found[1] == pytest.approx(found[0], rel=0.02)
