"""What a run does on its device: the speed of a new one is measured, MPS is used only where it beats the CPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import torch

from engine.compute import device
from engine.compute.device import Runtime
from engine.config.presets import SpeedOf
from engine.config.run import Device, ModelConfig, RunConfig, RuntimeConfig
from engine.corpus.training_data import TrainingData, load_training_data
from engine.session.startup import device_speed, setup
from engine.session.startup.device_speed import SECONDS, faster_runtime, speed_of
from engine.training.trainer import Trainer
from tests.engine.helpers import CPU, tiny_config
from tests.fakes import FakeClock

MODEL = ModelConfig(embedding_size=4, hidden_size=8)


@pytest.fixture
def data(corpus: Path) -> TrainingData:
    config = tiny_config(corpus).corpus
    assert config is not None
    return load_training_data(config, None, lambda _: None)


@pytest.mark.parametrize("step_seconds", [0.01, 2.0])
def test_the_speed_is_that_of_the_steps_after_the_first_ones(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch, step_seconds: float
) -> None:
    clock, num_steps = FakeClock(), 0
    sound = Trainer.step

    def step(trainer: Trainer, *args: object, **kwargs: object) -> None:
        nonlocal num_steps
        num_steps += 1
        sound(trainer, *args, **kwargs)  # type: ignore[arg-type] # passed on as they are
        clock.advance(10.0 if num_steps <= 3 else step_seconds)

    monkeypatch.setattr(Trainer, "step", step)

    found = speed_of(CPU, data, lambda: None, clock)(MODEL, 8)

    assert found == pytest.approx(data.some_batches(8)[0].num_targets / step_seconds)
    assert num_steps <= 4 + max(1, 2 * SECONDS / step_seconds)


def test_a_model_that_does_not_fit_has_no_speed(data: TrainingData) -> None:
    with mock.patch.object(Trainer, "step", side_effect=torch.OutOfMemoryError("CUDA out of memory.")):
        assert speed_of(CPU, data, lambda: None)(MODEL, 8) == 0.0


@pytest.mark.parametrize(
    ("chosen", "speed_of_mps", "expected"),
    [("auto", 2.0, ("mps", "fixed")), ("auto", 0.5, ("cpu", "due")), ("mps", 0.5, ("mps", "fixed"))],
)
def test_auto_uses_mps_only_if_it_trains_faster_than_the_cpu(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch, chosen: Device, speed_of_mps: float, expected: tuple[str, str]
) -> None:
    def measured(runtime: Runtime, *_: object) -> SpeedOf:
        return lambda *_: speed_of_mps if runtime.device.type == "mps" else 1.0

    monkeypatch.setattr(device_speed, "speed_of", measured)
    monkeypatch.setattr(device, "available_cores", lambda: 1)
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: True)
    on_mps = replace(CPU, device=torch.device("mps"))
    found = faster_runtime(RunConfig(runtime=RuntimeConfig(device=chosen)), on_mps, data, lambda: None)
    assert (found.device.type, found.tuning) == expected


@pytest.mark.parametrize(
    ("device_type", "precision", "is_deterministic", "num_layers", "expected"),
    [
        ("cuda", "bfloat16", False, 2, ""),
        ("cuda", "float32", False, 2, "This GPU does not train a model of these sizes in bfloat16"),
        ("cpu", "float32", False, 2, ""),
        ("cuda", "bfloat16", True, 2, "cuDNN draws the dropout"),
        ("cuda", "bfloat16", True, 1, ""),
    ],
)
def test_a_run_warns_of_what_its_device_can_not_do(
    device_type: str, precision: str, is_deterministic: bool, num_layers: int, expected: str
) -> None:
    asked = replace(CPU, device=torch.device(device_type), precision="bfloat16")
    state = mock.Mock(
        runtime=replace(asked, precision=precision, is_deterministic=is_deterministic),
        model_config=ModelConfig(num_layers=num_layers, dropout=0.1),
    )
    with mock.patch.object(setup, "initial_runtime", return_value=asked):
        found = setup._unmet_settings(RunConfig(), None, state)
    assert len(found) == bool(expected)
    assert all(message.startswith(expected) for message in found)
