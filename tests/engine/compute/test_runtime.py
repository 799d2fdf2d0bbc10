"""Devices and precisions, clocks without pauses and suspensions, the time of a run by phase."""

from __future__ import annotations

import copy
import gc
import os
import sys
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.compute import gpu_step, memory
from engine.compute.clocks import PHASES, Phase, PhaseTimer, ProcessStops, SteadyClock, Stopwatch, Throughput
from engine.compute.device import Runtime, cudnn_supports_bfloat16
from engine.compute.gpu_step import LENGTHS, supported_precision
from engine.config.run import RuntimeConfig
from engine.errors import DeviceError
from engine.model.gru import TextGenerator
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.engine.helpers import CPU, TickingClock, assert_same_tensors, losses, of_type, only, run_session, tiny_config
from tests.fakes import FakeClock


def test_a_run_on_the_cpu_does_not_start_cuda_nor_change_its_kernels_and_a_device_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for backend in (torch.cuda, torch.backends.mps):
        monkeypatch.setattr(backend, "is_available", mock.Mock(side_effect=AssertionError("it is started")))
    runtime = Runtime.resolve(RuntimeConfig(device="cpu", deterministic=True))
    assert (runtime.device, runtime.is_deterministic) == (torch.device("cpu"), False)
    with pytest.raises(AssertionError):
        Runtime.resolve(RuntimeConfig(device="auto"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="no cuda device"):
        Runtime.resolve(RuntimeConfig(device="cuda"))


@pytest.mark.parametrize(
    ("version", "cudnn", "capability", "expected"),
    [
        ("2.13.0+cu130", 91300, (8, 0), "bfloat16"),
        ("2.9.1", 91500, (9, 0), "float32"),
        ("2.13.0", 91002, (9, 0), "float32"),
        ("2.13.0", 91300, (7, 5), "float32"),
        ("2.13.0", RuntimeError("cuDNN version 91100 is not compatible with devices with SM < 7.5"), (9, 0), "float32"),
    ],
)
def test_bfloat16_needs_a_recent_torch_cudnn_and_gpu(
    monkeypatch: pytest.MonkeyPatch, version: str, cudnn: object, capability: tuple[int, int], expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
    monkeypatch.setattr(torch.backends.cudnn, "version", mock.Mock(side_effect=[cudnn] * 9))
    monkeypatch.setattr(torch, "__version__", version)
    assert cudnn_supports_bfloat16() is (expected == "bfloat16")
    assert Runtime.resolve(RuntimeConfig(device="cuda")).precision == expected


@pytest.mark.parametrize(
    ("before", "expected"), [(None, ":4096:8"), (":16:8", ":16:8"), (":0:0", ":4096:8"), ("", ":4096:8")]
)
def test_the_workspace_of_cublas_is_fixed_before_cuda_starts(
    monkeypatch: pytest.MonkeyPatch, before: str | None, expected: str
) -> None:
    found: list[str | None] = []
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", before or "")
    if before is None:
        monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")

    def start() -> bool:
        found.append(os.environ.get("CUBLAS_WORKSPACE_CONFIG"))
        return True

    monkeypatch.setattr(torch.cuda, "is_available", start)
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: None)
    assert Runtime.resolve(RuntimeConfig(deterministic=True)).is_deterministic
    assert set(found) == {expected}


def test_deterministic_kernels_are_used_until_another_runtime_is_applied() -> None:
    modes = []
    for runtime in (replace(CPU, device=torch.device("cuda"), is_deterministic=True), CPU):
        runtime.apply()
        modes.append(torch.are_deterministic_algorithms_enabled())
    assert modes == [True, False]


@pytest.mark.parametrize("num_frozen", [0, 9])
def test_the_heap_is_frozen_during_a_run_unless_it_is_already(num_frozen: int) -> None:
    with mock.patch.object(memory, "gc") as heap:
        heap.get_freeze_count.return_value = num_frozen
        with memory.heap_frozen():
            assert (heap.freeze.called, heap.unfreeze.called) == (num_frozen == 0, False)
        assert heap.unfreeze.called == (num_frozen == 0)


def test_the_first_import_of_torch_is_not_collected_and_its_objects_are_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.enable()  # a test that opens the screen in this process disables it, as the program does
    before = gc.get_freeze_count()
    with memory.torch_imported_uncollected():
        assert gc.isenabled(), "nothing changes where it is imported already"
    assert gc.get_freeze_count() == before
    monkeypatch.delitem(sys.modules, "torch")
    with memory.torch_imported_uncollected():
        assert not gc.isenabled()
        kept = [[number] for number in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(kept)
    with pytest.raises(ImportError), memory.torch_imported_uncollected():
        raise ImportError
    assert gc.isenabled()


# The trial of bfloat16 ------------------------------------------------------------------------------------------------


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> TextGenerator:
    """Return a model that seems to be on a GPU."""
    monkeypatch.setattr(gpu_step, "free_memory", lambda _: None)
    model = TextGenerator(9, 4, 6, num_layers=2, dropout=0.5, ngram_contexts=5)
    monkeypatch.setattr(TextGenerator, "device", torch.device("mps"))
    return model


def test_a_device_that_fails_in_bfloat16_uses_float32_which_needs_no_trial_and_neither_does_a_cpu(
    model: TextGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial without memory shows nothing."""
    unsupported, no_memory = RuntimeError("CUDNN_STATUS_NOT_SUPPORTED"), torch.OutOfMemoryError("CUDA out of memory.")
    for error, expected in ((None, "bfloat16"), (unsupported, "float32"), (no_memory, "bfloat16")):
        compute = mock.Mock(side_effect=error)
        monkeypatch.setattr(gpu_step, "_compute_gradient", compute)
        assert supported_precision(model, 5, "float32") == "float32"
        assert not compute.called
        assert supported_precision(model, 5, "bfloat16") == expected
        tried = [sizes for (_, *sizes), _ in compute.call_args_list]
        assert tried == [[5, length] for length in LENGTHS][: len(tried)] != []
    monkeypatch.setattr(TextGenerator, "device", CPU.device)
    monkeypatch.setattr(gpu_step, "_compute_gradient", mock.Mock(side_effect=unsupported))
    assert supported_precision(model, 5, "bfloat16") == "bfloat16"


def test_a_trial_changes_no_weight_and_no_generator(model: TextGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    compute = gpu_step._compute_gradient

    def on_cpu(*args: Any) -> None:
        with mock.patch.object(TextGenerator, "device", CPU.device):
            compute(*args)

    monkeypatch.setattr(gpu_step, "_compute_gradient", on_cpu)
    state, weights = torch.get_rng_state(), copy.deepcopy(model.state_dict())
    assert supported_precision(model, 3, "bfloat16") == "bfloat16"
    assert torch.equal(torch.get_rng_state(), state)
    assert_same_tensors(model.state_dict(), weights)
    assert all(weight.grad is None for weight in model.parameters())


# Clocks ---------------------------------------------------------------------------------------------------------------


def test_the_throughput_ignores_steps_before_its_window_but_has_at_least_one_of_them() -> None:
    throughput, long_steps = Throughput(), Throughput()
    for index in range(100):
        throughput.update(index / 10, 1000 * index)
    rates = [throughput.update(10 + index / 10, 100_000 + 10 * index) for index in range(100)]
    assert rates[20] > rates[40] > rates[60] == pytest.approx(100) == rates[99]
    assert [long_steps.update(index * 20.0, 1000 * index) for index in range(4)][1:] == [50, 50, 50]


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 10_000)), min_size=1))
def test_the_throughput_is_finite_and_never_negative(steps: list[tuple[float, int]]) -> None:
    throughput = Throughput()
    for seconds, chars in zip(*(accumulate(each) for each in zip(*steps, strict=True)), strict=True):
        assert 0 <= throughput.update(seconds, chars) < float("inf")


# Clocks that jump, suspended laptops ----------------------------------------------------------------------------------


def test_a_long_step_that_uses_the_cpu_counts_and_a_recorded_stop_never_does_however_short() -> None:
    clock, cpu = FakeClock(100.0), FakeClock()
    stops = ProcessStops(clock)
    stops.begin()
    clock.advance(50.0)
    stops.end()
    steady = SteadyClock(clock, cpu, stops)
    began = steady()
    for _ in range(3):
        clock.advance(600.0)
        cpu.advance(590.0)
        steady()
    assert steady() - began == 1800.0
    stops.begin()
    clock.advance(5.0)
    assert steady() - began == 1800.0
    stops.end()
    clock.advance(1.0)
    assert steady() - began == 1801.0


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0, 100))))
def test_a_steady_clock_never_goes_back(script: list[tuple[float, float]]) -> None:
    clock, cpu = FakeClock(), FakeClock()
    stopwatch = Stopwatch(SteadyClock(clock, cpu))
    last = 0.0
    for seconds, cpu_seconds in script:
        clock.advance(seconds)
        cpu.advance(cpu_seconds)
        assert stopwatch.seconds >= last - 1e-6
        last = stopwatch.seconds


def test_a_suspension_does_not_count_as_training_time(corpus: Path) -> None:
    clock = FakeClock()
    suspended = {5: [lambda: clock.advance(8 * 3600.0 - 0.25)]}
    config, seconds = tiny_config(corpus, max_seconds=2.0), {e.StepsFinished: 0.25}
    events = run_session(config, suspended, clock=clock, seconds=seconds, times_seconds=0.0)

    finished = only(events, e.RunFinished)
    assert (finished.reason, finished.elapsed_seconds, finished.total_seconds) == ("max_seconds", 2.0, 2.0)
    assert list(losses(events)) == list(range(1, 10))  # one more step: the suspension replaced a quarter second
    assert sum(event.seconds for event in of_type(events, e.StepTimes)) <= 2.0
    rates = [event.chars_per_second for event in of_type(events, e.StepsFinished)]
    assert min(rates[6:]) > 0.5 * max(rates)


# The time of a run by phase -------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from(PHASES), st.floats(0, 100)), max_size=20))
def test_each_second_counts_for_its_phase_which_continues_after_a_block(script: list[tuple[Phase, float]]) -> None:
    clock = FakeClock()
    timer = PhaseTimer(clock)
    expected = dict.fromkeys(PHASES, 0.0) | {"waiting": float(len(script))}
    for phase, seconds in script:
        timer.switch_to(phase)
        with timer.during("waiting"):
            clock.advance(1.0)
        clock.advance(seconds)
        expected[phase] += seconds
    times = timer.drain()
    assert times["seconds"] == pytest.approx(clock.now, abs=1e-6)
    del expected["other"]  # what is left
    assert [times[f"{phase}_seconds"] for phase in expected] == pytest.approx([*expected.values()], abs=1e-5)


def test_a_run_reports_every_phase_and_they_add_up(corpus: Path) -> None:
    config = tiny_config(corpus, max_steps=6, sample_every=3, eval_every=3)
    events = run_session(config, {4: [c.SaveCheckpoint(name="mine")]}, clock=TickingClock(0.001), times_seconds=0.0)
    times = of_type(events, e.StepTimes)
    assert [(event.step, event.num_steps) for event in times] == [(step, 1) for step in range(1, 7)]
    for event in times:
        phases = [getattr(event, f"{phase}_seconds") for phase in PHASES if phase != "other"]
        assert sum(phases) <= event.seconds + 1e-5
        assert min(event.forward_seconds, event.backward_seconds, event.optimizer_seconds, event.data_seconds) > 0
    assert [bool(event.sampling_seconds) for event in times] == [True, False, False, True, False, False]
    assert [bool(event.evaluation_seconds) for event in times] == [False, False, False, True, False, False]
    assert [bool(event.saving_seconds) for event in times] == [True, False, False, True, True, False]
    assert sum(event.seconds for event in times) <= events[-1].elapsed_seconds + 1e-5
