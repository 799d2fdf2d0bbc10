"""Runs on a device, which is a fake on the CPU: what can't be recorded or computed rightly is a warning, once."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import torch

from engine.compute import gpu_step, stepper
from engine.compute.gpu_step import ResidentTweets
from engine.compute.memory import CudaAllocator
from engine.config.presets import resolve_preset
from engine.config.run import Device, Precision, RuntimeConfig, Setting, TrainingConfig
from engine.model.gru import TextGenerator
from engine.protocol import events as e
from engine.training.trainer import Trainer
from tests.engine import helpers as h
from tests.engine.compute.gpu.device_steps import FailingRecorder, FakeRecorder, use_char_graphs, use_device_step

NOT_PERMITTED = RuntimeError("operation not permitted when stream is capturing\nmore")


def messages(emitted: list[e.Event]) -> list[str]:
    return [event.message for event in h.of_type(emitted, e.Warned)]


@pytest.mark.parametrize("failing", ["steps", "characters of tweets"])
def test_what_can_not_be_recorded_is_one_warning_and_the_other_is_recorded(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, allocator: CudaAllocator, failing: str
) -> None:
    steps, characters = FakeRecorder(), FakeRecorder()
    if failing == "steps":
        steps = FailingRecorder(NOT_PERMITTED, failing=range(99))
    else:
        characters = FailingRecorder(NOT_PERMITTED, failing=range(99))
    use_device_step(monkeypatch, steps)
    use_char_graphs(monkeypatch, characters)
    config = h.tiny_config(corpus, max_steps=24, sample_every=3)
    emitted, again = (h.run_session(replace(config, run_name=name), times_seconds=0.0) for name in ("one", "two"))
    [message] = messages(emitted)
    assert messages(again) == [message]  # in the same process
    assert message == (
        f"The {failing} can't be recorded as CUDA graphs, so that they take longer: operation not permitted when "
        "stream is capturing"
    )
    assert ("replay" in steps.log) == (failing != "steps")
    assert ("replay" in characters.log) == (failing == "steps")
    assert allocator.is_sound
    num_graphs = [event.num_graphs for event in h.of_type(emitted, e.StepTimes)]
    assert (max(n or 0 for n in num_graphs) > 0) == (failing != "steps")
    assert None not in num_graphs


@pytest.mark.parametrize("budget", [{}, {"max_seconds": 120.0}, {"max_steps": 300}], ids=str)
@pytest.mark.parametrize("num_chars", [200_000, 2_200_000, 5_000_000])
def test_the_steps_of_every_default_run_on_a_gpu_are_recorded(
    monkeypatch: pytest.MonkeyPatch, num_chars: int, budget: dict[str, Setting]
) -> None:
    """The embedded tweets are 2.2 million characters, for which `auto` chooses two layers and dropout."""
    monkeypatch.setattr(gpu_step, "CudaRecorder", lambda device: device)
    configs = resolve_preset("auto", budget, num_chars, "cuda", speed_of=lambda _: 5e6)
    model = TextGenerator.without_weights(90, configs.model)
    monkeypatch.setattr(TextGenerator, "device", torch.device("cuda"))
    assert gpu_step.recorder_for(model) is not None
    is_stacked = num_chars == 2_200_000 and "max_steps" not in budget
    assert (model.rnn.num_layers > 1 and model.rnn.dropout > 0) == is_stacked


def test_the_end_of_a_run_frees_the_graph_of_its_tweets(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    characters = FakeRecorder()
    use_char_graphs(monkeypatch, characters)
    h.run_tiny(corpus, max_steps=12, sample_every=3)
    assert characters.log.count("record") == 1
    assert characters.log[-1] == "discard"
    assert stepper._GRAPHS == {}


def test_an_interrupted_run_raises_the_interrupt_where_a_failed_device_can_not_free_graphs(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    characters = FakeRecorder()
    use_char_graphs(monkeypatch, characters)
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
    config = replace(h.tiny_config(corpus), runtime=RuntimeConfig(device=device))
    emitted = h.run_session(config)
    assert h.only(emitted, e.RunStarted).device == "cpu"
    expected = [f"A GPU is there, but torch can't use it, so the CPU trains: {problem}"]
    assert messages(emitted) == (expected if (device, num_gpus) == ("auto", 1) else [])


@pytest.mark.parametrize(
    ("precision", "factor"), [("float32", 1.0), ("bfloat16", 1.0), ("float32", math.nan), ("bfloat16", 1.03)]
)
def test_a_device_that_computes_another_first_loss_than_the_cpu_is_a_warning(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, precision: Precision, factor: float
) -> None:
    use_device_step(monkeypatch, None)
    sound = gpu_step.mean_loss
    monkeypatch.setattr(gpu_step, "mean_loss", lambda *args: factor * sound(*args))
    config = replace(h.tiny_config(corpus, max_steps=1, dropout=0.5), runtime=RuntimeConfig(precision=precision))
    found = messages(h.run_session(config))
    assert ["in place of the CPU's" in each for each in found[:1]] == ([] if factor == 1.0 else [True])


def test_a_device_that_gathers_other_tweets_is_a_warning(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first step, the loss of any tweets is about the same."""
    use_device_step(monkeypatch, None)
    sound = ResidentTweets.gather
    monkeypatch.setattr(ResidentTweets, "gather", lambda own, rows, length: sound(own, rows.flip(0), length))
    [message] = messages(h.run_tiny(corpus, max_steps=1))
    assert "The GPU has other tweets in its memory than the CPU" in message


def test_the_check_of_the_first_loss_changes_nothing_and_is_left_out_without_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_device_step(monkeypatch, None)
    torch.manual_seed(0)
    tweets = h.encoded()[0]
    trainer = Trainer(h.model_with_table(6, 8, 2, 0.5), TrainingConfig(), replace(h.CPU, precision="bfloat16"))
    before, generator = h.copy_of_state(trainer), torch.get_rng_state()
    assert trainer.first_loss_problem(tweets) == ""
    h.assert_same_tensors(trainer.state(), before)
    assert torch.equal(torch.get_rng_state(), generator)
    assert trainer._device_step is not None
    assert trainer._device_step._network.training
    monkeypatch.setattr(gpu_step, "mean_loss", mock.Mock(side_effect=torch.OutOfMemoryError("CUDA out of memory.")))
    assert trainer.first_loss_problem(tweets) == ""


def test_ordinary_tests_see_no_gpu(pytestconfig: pytest.Config) -> None:
    assert torch.cuda.device_count() == 0 or pytestconfig.getoption("--gpu")
