"""The speed of a new model before its run: with what it was fastest, what small batches cost, and on which device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from engine.compute import device
from engine.compute.device import Runtime
from engine.config.presets import PresetConfigs
from engine.config.run import Device, ModelConfig, RunConfig, RuntimeConfig, TrainingConfig
from engine.corpus.arrays import Batch
from engine.corpus.training_data import TrainingData, corpus_config_of, load_training_data
from engine.session.startup.setup import new_model
from engine.training import new_model_speeds as speeds_module
from engine.training.new_model_speeds import NewModelSpeeds, new_model_speeds
from engine.training.trainer import Trainer, split_batch
from engine.training.tuning import FEWER_THREADS_AT_START, Choices, Fastest, initial_runtime
from tests.engine import helpers as h
from tests.fakes import FakeClock

BOTH = ("float32", "bfloat16")
MODEL = ModelConfig(embedding_size=4, hidden_size=8)


@pytest.fixture
def data(corpus: Path) -> TrainingData:
    return load_training_data(corpus_config_of(h.tiny_config(corpus), None), None, lambda _: None)


CONFIGS = PresetConfigs(model=MODEL, training=TrainingConfig(batch_size=8))


def speeds_on(
    runtime: Runtime, data: TrainingData, check: Callable[[], None] = lambda: None, asked: Device = "cpu"
) -> NewModelSpeeds:
    config = RunConfig(runtime=RuntimeConfig(device=asked))
    return new_model_speeds(config, runtime, data, lambda model: new_model(model, data)[1], check)


@pytest.mark.parametrize("step_seconds", [0.01, 2.0])
def test_the_speed_is_that_of_the_steps_after_the_first_one_and_0_where_the_model_does_not_fit(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch, step_seconds: float
) -> None:
    clock, sound = FakeClock(), Trainer.step

    def step(trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        sound(trainer, *args, **kwargs)
        clock.advance(step_seconds if clock() else 10.0)

    monkeypatch.setattr(speeds_module, "time", mock.Mock(perf_counter=clock))
    monkeypatch.setattr(Trainer, "step", step)
    found = speeds_on(h.CPU, data).speeds_of(CONFIGS, (8,))
    sizes = sorted(batch.num_targets for batch in data.some_batches(8))
    assert found == pytest.approx([sizes[len(sizes) // 2] / step_seconds])
    assert clock() <= 10.0 + max(step_seconds, 2 * speeds_module.SPEED_SECONDS["cpu"])
    monkeypatch.setattr(Trainer, "step", mock.Mock(side_effect=torch.OutOfMemoryError("CUDA out of memory.")))
    assert speeds_on(h.CPU, data).speeds_of(CONFIGS, (8, 4)) == [0.0, 0.0]


DEEPER, WIDER = (CONFIGS.with_settings(each) for each in ({"num_layers": 2}, {"hidden_size": 18}))


@pytest.mark.parametrize(
    ("best_of_first", "tried_with_second"),
    [("float32", [Choices(counts=(1,), precisions=BOTH)]), ("bfloat16", [])],
)
def test_all_is_tried_with_the_first_model_the_precision_with_others_unless_that_is_bfloat16(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch, best_of_first: str, tried_with_second: list[Choices]
) -> None:
    """Small batches have a price in the precision of the model."""
    tried: list[Choices] = []

    def fastest(
        _: Trainer, __: object, in_use: Runtime, choices: Choices, ___: float, ____: object, fewer_threads: float
    ) -> Fastest:
        assert fewer_threads == FEWER_THREADS_AT_START
        tried.append(choices)
        precision = best_of_first if len(tried) == 1 else "bfloat16"
        best = replace(in_use, num_threads=1, precision=precision, tuning="measured")
        return Fastest(runtime=best, ratio=1.5, chars_per_second=1.0)

    monkeypatch.setattr(speeds_module, "fastest", fastest)
    monkeypatch.setattr(
        speeds_module, "_chars_per_second", lambda trainer, _: {"float32": 2.0, "bfloat16": 3.0}[trainer.precision]
    )
    prices = mock.Mock(side_effect=lambda trainer, *_: {"float32": 1.25, "bfloat16": 1.5}[trainer.precision])
    monkeypatch.setattr(speeds_module, "price_of_parts", prices)
    monkeypatch.setattr(device, "available_cores", lambda: 2)
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: True)
    speeds = speeds_on(initial_runtime(RunConfig(runtime=RuntimeConfig(device="cpu")), None), data)
    expected = {"float32": [2.0, 1.6], "bfloat16": [3.0, 2.0]}
    for _ in range(2):
        assert speeds.speeds_of(CONFIGS, (8, 4)) == expected[best_of_first]
    assert tried == [Choices(counts=(1, 2), precisions=BOTH)]
    assert speeds.speeds_of(DEEPER, (8, 4)) == expected["bfloat16"]
    assert tried[1:] == tried_with_second
    found = [speeds.runtime_for(each.model) for each in (CONFIGS, DEEPER, WIDER)]
    assert [(each.num_threads, each.precision, each.tuning) for each in found] == [
        (1, best_of_first, "measured"),
        (1, "bfloat16", "measured"),
        (1, "bfloat16", "due"),
    ]


@pytest.mark.parametrize("is_open", [True, False])
def test_measuring_takes_at_most_a_share_of_the_budget_but_what_is_compiled_does_not_count(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch, is_open: bool
) -> None:
    """Whether or not threads and precision are open. A model of twice the work takes twice as long to measure."""
    clock, measured = FakeClock(), list[float]()

    def compile_for(*_: object) -> None:
        clock.advance(10.0)

    def spend(seconds: float) -> None:
        measured.append(seconds)
        clock.advance(seconds)

    def fastest(_: Trainer, __: object, in_use: Runtime, *___: object) -> Fastest:
        spend(0.4)
        return Fastest(runtime=replace(in_use, precision="bfloat16"), ratio=1.0, chars_per_second=1.0)

    def chars_per_second(trainer: Trainer, _: Batch) -> float:
        spend(0.2 * trainer.model.rnn.num_layers)
        return 5.0

    monkeypatch.setattr(Trainer, "forward_backward", compile_for)
    monkeypatch.setattr(speeds_module, "fastest", fastest)
    monkeypatch.setattr(speeds_module, "_chars_per_second", chars_per_second)
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: True)
    settings = {"max_seconds": 60.0}
    asked = RuntimeConfig(device="cpu") if is_open else RuntimeConfig(device="cpu", threads=1, precision="float32")
    config = RunConfig(runtime=asked, settings=settings)
    start = initial_runtime(config, None)
    speeds = NewModelSpeeds(config, start, data, lambda model: new_model(model, data)[1], lambda: None, clock)
    assert [speeds.speeds_of(each, (8,)) for each in (CONFIGS, DEEPER, WIDER, CONFIGS)] == [[5.0], [5.0], None, [5.0]]
    assert measured == ([0.4, 0.2, 0.4] if is_open else [0.2, 0.4])
    assert sum(measured) <= speeds_module.MEASURED_SHARE * settings["max_seconds"]


def test_the_price_of_small_batches_is_the_median_of_turns_in_processor_time() -> None:
    """The first turn, and one with a chance delay, do not count."""
    trainer, clock, num_steps = mock.Mock(), FakeClock(), count()

    def step(batch: Batch, learning_rate: float) -> None:
        assert learning_rate < 1e-6
        delay = {0: 9.0, 6: 5.0}.get(next(num_steps), 0.0)
        clock.advance({8: 1.0, 2: 0.41}[batch.num_tweets] + delay)

    trainer.step = step
    [batch] = h.some_batches(1, 8)
    num_chars = sum(part.num_targets for part in split_batch(batch, 2)[:2])
    expected = 0.82 * batch.num_targets / num_chars
    assert speeds_module.price_of_parts(trainer, batch, 2, clock) == pytest.approx(expected)
    assert next(num_steps) == 3 * (1 + speeds_module.PRICE_ROUNDS)


def test_the_measurement_before_a_run_is_aborted_between_two_trials(data: TrainingData) -> None:
    start, turns = replace(h.CPU, tuning="due"), iter(range(2))

    def check() -> None:
        if next(turns, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        speeds_on(start, data, check).speeds_of(CONFIGS, (8,))


def test_auto_uses_mps_only_if_it_trains_faster_than_a_cpu(data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    speeds = {"cpu": 1.0}
    monkeypatch.setattr(NewModelSpeeds, "speeds_of", lambda self, *_: [speeds[self.runtime.device.type]])
    monkeypatch.setattr(device, "available_cores", lambda: 1)
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: True)

    def chosen(asked: Device, speed_of_mps: float) -> tuple[str, str]:
        speeds["mps"] = speed_of_mps
        on_mps = replace(h.CPU, device=torch.device("mps"))
        found = speeds_on(on_mps, data, asked=asked).runtime
        return found.device.type, found.tuning

    assert chosen("auto", 2.0) == chosen("mps", 0.5) == ("mps", "fixed")
    assert chosen("auto", 0.5) == ("cpu", "due")
