"""Runs on a device, which is a fake on the CPU: what can't be recorded or computed rightly is a warning, once.

And what is left of a step whose recording or launch fails.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import torch

from engine.compute import gpu_step, stepper
from engine.compute.cuda_graphs import WARM_UP_VISITS
from engine.compute.gpu_step import ResidentTweets
from engine.compute.memory import CudaAllocator
from engine.config.run import Device, RuntimeConfig, TrainingConfig
from engine.model.gru import TextGenerator
from engine.protocol import events as e
from engine.training import trainer as trainer_module
from engine.training.trainer import Trainer
from tests.engine import helpers as h
from tests.engine.compute.gpu import device_steps as fakes
from tests.engine.compute.gpu.device_steps import RATE, losses_of

NOT_PERMITTED = RuntimeError("operation not permitted when stream is capturing\nmore")
NO_MEMORY = torch.OutOfMemoryError("CUDA out of memory.")


def new_trainer(precision: str = "float32", dropout: float = 0.0, average_lag: float = 0.0) -> Trainer:
    torch.manual_seed(0)
    config = TrainingConfig(batch_size=8, average_lag=average_lag)
    return Trainer(h.model_with_table(6, 8, 2, dropout), config, replace(h.CPU, precision=precision))


def messages(emitted: list[e.Event]) -> list[str]:
    return [event.message for event in h.of_type(emitted, e.Warned)]


@pytest.mark.parametrize("failing", ["steps", "characters of tweets"])
def test_what_can_not_be_recorded_is_one_warning_the_other_is_recorded_and_freed_at_the_end(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, allocator: CudaAllocator, failing: str
) -> None:
    steps, characters = fakes.FakeRecorder(), fakes.FakeRecorder()
    if failing == "steps":
        steps = fakes.FailingRecorder(NOT_PERMITTED, failing=range(99))
    else:
        characters = fakes.FailingRecorder(NOT_PERMITTED, failing=range(99))
    fakes.use_device_step(monkeypatch, steps)
    fakes.use_char_graphs(monkeypatch, characters)
    emitted = h.run_tiny(corpus, max_steps=18, sample_every=3, times_seconds=0.0)
    [message] = messages(emitted)
    assert message == (
        f"The {failing} can't be recorded as CUDA graphs, so that they take longer: operation not permitted when "
        "stream is capturing"
    )
    assert messages(h.run_tiny(corpus, run_name="again", max_steps=18, sample_every=3)) == [message]  # in this process
    assert ("replay" in steps.log) == (failing != "steps")
    assert ("replay" in characters.log) == (failing == "steps") == (characters.log[-1] == "discard")
    assert stepper._GRAPHS == {}
    assert allocator.is_sound
    num_graphs = [event.num_graphs for event in h.of_type(emitted, e.StepTimes)]
    assert (max(n or 0 for n in num_graphs) > 0) == (failing != "steps")
    assert None not in num_graphs


def test_by_default_the_steps_on_a_gpu_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_step, "CudaRecorder", lambda device: device)
    monkeypatch.setattr(trainer_module, "DeviceStep", made := mock.Mock())
    model, meta, cuda = new_trainer().model, torch.device("meta"), torch.device("cuda")
    for device, expected in ((cuda, cuda), (meta, None)):
        with mock.patch.object(TextGenerator, "device", device):
            Trainer(model, TrainingConfig(), replace(h.CPU, device=meta))
        assert made.call_args.kwargs["recorder"] == expected


def test_an_interrupt_is_raised_though_no_graph_can_be_freed(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    characters = fakes.FakeRecorder()
    fakes.use_char_graphs(monkeypatch, characters)
    monkeypatch.setattr(characters, "discard", mock.Mock(side_effect=RuntimeError("CUDA error: an assert")))
    h.let_fail(monkeypatch, "engine.training.trainer.Trainer.step", KeyboardInterrupt(), 9)
    with pytest.raises(KeyboardInterrupt):
        h.run_tiny(corpus, max_steps=12, sample_every=3)
    assert stepper._GRAPHS == {}


@pytest.mark.parametrize(("device", "num_gpus"), [("auto", 1), ("auto", 0), ("cpu", 1)])
def test_a_run_that_is_to_choose_its_device_warns_of_a_gpu_that_torch_can_not_use(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, device: Device, num_gpus: int
) -> None:
    problem = RuntimeError("The NVIDIA driver on your system is too old (found version 12020).")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: num_gpus)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", mock.Mock(side_effect=problem))
    emitted = h.run_session(replace(h.tiny_config(corpus, max_steps=1), runtime=RuntimeConfig(device=device)))
    assert h.only(emitted, e.RunStarted).device == "cpu"
    expected = [f"A GPU is there, but torch can't use it, so the CPU trains: {problem}"]
    assert messages(emitted) == (expected if (device, num_gpus) == ("auto", 1) else [])


def test_a_device_that_gathers_other_tweets_is_a_warning(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first step, the loss of any tweets is about the same."""
    fakes.use_device_step(monkeypatch, None)
    sound = ResidentTweets.gather
    monkeypatch.setattr(ResidentTweets, "gather", lambda own, rows, length: sound(own, rows.flip(0), length))
    [message] = messages(h.run_tiny(corpus, max_steps=1))
    assert "The GPU has other tweets in its memory than the CPU" in message


@pytest.mark.parametrize(
    ("precision", "factor"), [("float32", 1.0), ("bfloat16", 1.0), ("float32", math.nan), ("bfloat16", 1.03)]
)
def test_another_first_loss_than_the_cpus_is_a_warning_and_its_check_changes_nothing_and_is_left_out_without_memory(
    monkeypatch: pytest.MonkeyPatch, precision: str, factor: float
) -> None:
    fakes.use_device_step(monkeypatch, None)
    trainer, sound, tweets = new_trainer(precision, dropout=0.5), gpu_step.mean_loss, h.encoded()[0]
    before, generator = h.copy_of_state(trainer), torch.get_rng_state()
    monkeypatch.setattr(gpu_step, "mean_loss", lambda *args: factor * sound(*args))
    assert ("in place of the CPU's" in trainer.first_loss_problem(tweets)) == (factor != 1.0)
    h.assert_same_tensors(trainer.state(), before)
    assert torch.equal(torch.get_rng_state(), generator)
    assert trainer._device_step is not None
    assert trainer._device_step._network.training
    monkeypatch.setattr(gpu_step, "mean_loss", mock.Mock(side_effect=NO_MEMORY))
    assert trainer.first_loss_problem(tweets) == ""


def test_ordinary_tests_see_no_gpu(pytestconfig: pytest.Config) -> None:
    assert torch.cuda.device_count() == 0 or pytestconfig.getoption("--gpu")


# Steps that can't be recorded or launched -----------------------------------------------------------------------------


class ReplayedRecorder(fakes.FakeRecorder):
    """Like CUDA's, it records by running the Python part of a step, of which a replay runs nothing."""

    trainer: Trainer
    error: RuntimeError | None = None
    """Of each recording."""
    failing = 0
    """Number of the replay that can't be launched, counted from 1."""

    def record(self, work: Callable[[], None]) -> torch.cuda.CUDAGraph:
        def replayed() -> None:
            before = self.trainer._optimizer_step.has_begun
            if self.log.count("replay") == self.failing:
                raise NO_MEMORY
            work()
            self.trainer._optimizer_step.has_begun = before

        self.trainer._optimizer_step.has_begun = True
        if self.error is not None:
            raise self.error
        return super().record(replayed)


@pytest.fixture
def replayed(monkeypatch: pytest.MonkeyPatch) -> ReplayedRecorder:
    """Return the recorder of a trainer whose third step is recorded, and replayed as the later ones are."""
    recorder = ReplayedRecorder()
    fakes.use_device_step(monkeypatch, recorder)
    recorder.trainer = new_trainer(average_lag=0.1)
    return recorder


@pytest.mark.parametrize("error", [NO_MEMORY, NOT_PERMITTED])
@pytest.mark.usefixtures("allocator")
def test_a_step_that_can_not_be_recorded_is_taken_eagerly_and_can_be_repeated_if_its_batch_does_not_fit_either(
    replayed: ReplayedRecorder, monkeypatch: pytest.MonkeyPatch, error: RuntimeError
) -> None:
    batches, trainer, plain = h.some_batches(1, 7) * 5, replayed.trainer, new_trainer()
    plain._device_step, replayed.error = None, error
    with monkeypatch.context() as patch:
        h.let_fail(patch, "engine.compute.gpu_step.ResidentTweets.gather", NO_MEMORY, WARM_UP_VISITS + 1)
        with pytest.raises(torch.OutOfMemoryError):
            losses_of(trainer, batches)
    assert (trainer.is_consistent, trainer.step_count) == (True, WARM_UP_VISITS)
    assert losses_of(trainer, batches[WARM_UP_VISITS:]) == pytest.approx(losses_of(plain, batches), rel=1e-5)
    assert (trainer.is_consistent, trainer.skipped_in_a_row) == (True, 0)


@pytest.mark.parametrize("number", [1, 2])
def test_a_graph_that_can_not_be_launched_has_changed_nothing_and_after_a_launch_an_error_leaves_a_step_in_part(
    replayed: ReplayedRecorder, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    trainer, [batch], replayed.failing = replayed.trainer, h.some_batches(1, 7), number
    losses_of(trainer, [batch] * (WARM_UP_VISITS + number - 1))
    before = h.copy_of_state(trainer)
    with pytest.raises(torch.OutOfMemoryError):
        trainer.step(batch, RATE)
    assert trainer.is_consistent
    h.assert_same_tensors(trainer.state(), before)
    h.let_fail(monkeypatch, "engine.model.parameters.WeightAverage.update", NO_MEMORY, 1)
    with pytest.raises(torch.OutOfMemoryError):
        trainer.step(batch, RATE)
    assert replayed.log.count("replay") == number + 1
    assert not trainer.is_consistent
