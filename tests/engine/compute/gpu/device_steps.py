"""A fake of CUDA graphs, and trainers that run the device step on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

import pytest
from torch.utils._python_dispatch import TorchDispatchMode

from engine.compute.device import Runtime
from engine.compute.gpu.recorder import CudaRecorder
from engine.compute.row_rmsprop import RowRmsprop
from engine.config.run import TrainingConfig
from engine.model.gru import TextGenerator
from engine.training import trainer as trainer_module
from engine.training.trainer import Trainer


class FakeRecording:
    """Runs its work when replayed, on the current content of its static input."""

    def __init__(self, log: list[str], work: Callable[[], None]) -> None:
        self._log = log
        self._work = work

    def replay(self) -> None:
        self._log.append("replay")
        self._work()

    def reset(self) -> None:
        raise AssertionError("only the recorder may free a recording, once the device is done with it")


class FakeRecorder(CudaRecorder):
    """Logs all calls; like CUDA's, it does not run the work that it records."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def run_on_side_stream(self, work: Callable[[], None]) -> None:
        self.log.append("warm-up")
        work()

    def record(self, work: Callable[[], None]) -> FakeRecording:
        self.log.append("record")
        return FakeRecording(self.log, work)

    def discard(self, _: object) -> None:
        self.log.append("discard")


class FailingRecorder(FakeRecorder):
    """Fails with `error` at the recordings of these numbers, counted from 1; like CUDA's, it runs Python's part."""

    def __init__(self, error: RuntimeError, failing: Container[int]) -> None:
        super().__init__()
        self._error = error
        self._failing = failing

    def record(self, work: Callable[[], None]) -> FakeRecording:
        recording = super().record(work)
        if self.log.count("record") in self._failing:
            raise self._error
        return recording


def use_device_step(monkeypatch: pytest.MonkeyPatch, recorder: CudaRecorder | None) -> None:
    """Make every `Trainer` use the device step, with what a device has in place of compiled code, on the CPU."""
    made = Trainer.__init__

    def make(self: Trainer, model: TextGenerator, config: TrainingConfig, runtime: Runtime, **options: Any) -> None:
        made(self, model, config, runtime, **options)
        self._cpu = None
        self._device_step = self._make_device_step(may_record=True)

    monkeypatch.setattr(RowRmsprop, "step", RowRmsprop.update_by_masks)
    monkeypatch.setattr(trainer_module, "recorder_for", lambda _: recorder)
    monkeypatch.setattr(Trainer, "__init__", make)


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch leaves it untyped
    """Records the schema of each operation, including those of autograd's backward pass."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch leaves it untyped
        self.schemas: list[Any] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.schemas.append(func._schema)
        return func(*args, **(kwargs or {}))
