"""Devices and precisions: CUDA is not started for a run on the CPU, and a GPU that cuDNN rejects gets float32."""

from __future__ import annotations

import pytest
import torch

from engine.compute.device import Runtime
from engine.compute.gpu.bfloat16_copy import cudnn_supports_bfloat16
from engine.config.run import RuntimeConfig
from engine.errors import DeviceError


def test_a_run_on_the_cpu_does_not_start_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    def start() -> bool:
        raise AssertionError("CUDA is started")

    monkeypatch.setattr(torch.cuda, "is_available", start)
    monkeypatch.setattr(torch.backends.mps, "is_available", start)
    assert Runtime.resolve(RuntimeConfig(device="cpu")).device == torch.device("cpu")
    with pytest.raises(AssertionError):
        Runtime.resolve(RuntimeConfig(device="auto"))


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="no cuda device"):
        Runtime.resolve(RuntimeConfig(device="cuda"))


def test_a_gpu_that_cudnn_rejects_has_no_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    def version() -> int:
        raise RuntimeError("cuDNN version 91100 is not compatible with devices with SM < 7.5")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.cudnn, "version", version)
    assert not cudnn_supports_bfloat16()
    assert Runtime.resolve(RuntimeConfig(device="cuda")).precision == "float32"
