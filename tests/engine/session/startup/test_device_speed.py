"""The speed of a device is measured once per model, on real steps; MPS is used only where it beats the CPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch

from engine.compute import device
from engine.compute.device import Runtime
from engine.config.presets import SpeedOf
from engine.config.run import ModelConfig, RunConfig, RuntimeConfig
from engine.corpus.training_data import TrainingData, load_training_data
from engine.session.startup import device_speed, setup
from engine.session.startup.device_speed import SECONDS, faster_runtime, speed_of
from engine.training.trainer import Trainer
from tests.engine.helpers import CPU, tiny_config
from tests.fakes import FakeClock

MODEL = ModelConfig(embedding_size=4, hidden_size=8)
ON_MPS = replace(CPU, device=torch.device("mps"))


@pytest.fixture
def data(corpus: Path) -> TrainingData:
    config = tiny_config(corpus).corpus
    assert config is not None
    return load_training_data(config, None, lambda _: None)


@pytest.mark.parametrize("step_seconds", [0.001, 2.0])
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
    num_targets = data.some_batches(8)[0].num_targets

    found = speed_of(CPU, data, lambda: None, clock)(MODEL, 8)

    assert found == pytest.approx(num_targets / step_seconds)
    assert num_steps <= 4 + max(1, 2 * SECONDS / step_seconds)


def test_a_model_that_does_not_fit_has_no_speed(data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(Trainer, "step", step)
    assert speed_of(CPU, data, lambda: None)(MODEL, 8) == 0.0


@pytest.mark.parametrize(("speed_of_mps", "expected"), [(2.0, "mps"), (0.5, "cpu")])
def test_auto_uses_mps_only_if_it_trains_faster_than_the_cpu(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch, speed_of_mps: float, expected: str
) -> None:
    def measured(runtime: Runtime, *_: object) -> SpeedOf:
        return lambda *_: speed_of_mps if runtime.device.type == "mps" else 1.0

    monkeypatch.setattr(device_speed, "speed_of", measured)
    monkeypatch.setattr(device, "available_cores", lambda: 1)
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: True)
    config = RunConfig(runtime=RuntimeConfig(device="auto"))
    found = faster_runtime(config, ON_MPS, data, lambda: None)
    assert (found.device.type, found.tuning) == (expected, "due" if expected == "cpu" else "fixed")
    chosen = RunConfig(runtime=RuntimeConfig(device="mps"))
    assert faster_runtime(chosen, ON_MPS, data, lambda: None) is ON_MPS


# warnings ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device_type", "precision", "is_deterministic", "num_layers", "expected"),
    [
        ("cuda", "bfloat16", False, 2, []),
        ("cuda", "float32", False, 2, ["float32"]),
        ("cpu", "float32", False, 2, []),
        ("cuda", "bfloat16", True, 2, ["cuDNN draws"]),
        ("cuda", "bfloat16", True, 1, []),
    ],
)
def test_a_run_warns_of_what_its_device_can_not_do(
    monkeypatch: pytest.MonkeyPatch,
    device_type: str,
    precision: str,
    is_deterministic: bool,
    num_layers: int,
    expected: list[str],
) -> None:
    asked = replace(CPU, device=torch.device(device_type), precision="bfloat16")
    monkeypatch.setattr(setup, "initial_runtime", lambda *_: asked)
    state = Mock(
        runtime=replace(asked, precision=precision, is_deterministic=is_deterministic),
        model_config=ModelConfig(num_layers=num_layers, dropout=0.1),
    )
    found = setup._unmet_settings(RunConfig(), None, state)
    assert len(found) == len(expected)
    assert all(part in message for part, message in zip(expected, found, strict=True))
