"""What the tests of the accelerated step share: a stand-in for CUDA's graphs, and trainers that take that step here."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.compute.device import Runtime
from engine.compute.gpu.cuda_graphs import CudaRecorder
from engine.config.run import TrainingConfig
from engine.model.gru import TextGenerator
from engine.training import trainer as trainer_module
from engine.training.trainer import Trainer


class FakeRecording:
    """Does its work when replayed, from whatever lies in its static input by then."""

    def __init__(self, log: list[str], work: Callable[[], None]) -> None:
        self._log = log
        self._work = work

    def replay(self) -> None:
        self._log.append("replay")
        self._work()

    def reset(self) -> None:
        raise AssertionError("only the recorder knows when a device is done with a recording")


class FakeRecorder(CudaRecorder):
    """Notes what is asked of it; like CUDA's, it does not do the work that it records."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def run_on_side_stream(self, work: Callable[[], None]) -> None:
        self.log.append("aside")
        work()

    def record(self, work: Callable[[], None]) -> FakeRecording:
        self.log.append("record")
        return FakeRecording(self.log, work)

    def discard(self, _: object) -> None:
        self.log.append("discard")


def step_as_on_a_device(monkeypatch: pytest.MonkeyPatch, recorder: CudaRecorder | None) -> None:
    """Make every `Trainer` take the accelerated step, though on the processor."""
    made = Trainer.__init__

    def make(self: Trainer, model: TextGenerator, config: TrainingConfig, runtime: Runtime) -> None:
        made(self, model, config, runtime)
        self._device_step = self._make_device_step(may_record=True)

    monkeypatch.setattr(trainer_module, "recorder_for", lambda _: recorder)
    monkeypatch.setattr(Trainer, "__init__", make)
