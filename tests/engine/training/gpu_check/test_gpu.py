"""What `CheckedGpu` asks of CUDA, whose functions are fakes: limits and modes end with their block."""

from __future__ import annotations

from contextlib import suppress
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import torch

from engine.model.gru import TextGenerator
from engine.training.gpu_check import gpu
from engine.training.gpu_check.gpu import CheckedGpu

GIB = 2**30
DEVICE = torch.device("cuda", 1)
"""The device in use, which torch asks to be named by its number."""


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Replace what torch knows of CUDA: a GPU of 80 GiB."""
    fake = mock.create_autospec(torch.cuda)
    fake.current_device.return_value = DEVICE.index
    fake.get_device_properties.return_value = SimpleNamespace(total_memory=80 * GIB)
    monkeypatch.setattr(torch, "cuda", fake)
    monkeypatch.setattr(gpu, "free_memory", mock.Mock())
    monkeypatch.setattr(gpu, "may_train_in_bfloat16", lambda _: True)
    return fake


def test_half_of_what_work_needs_is_allowed_besides_what_is_in_use_until_the_end_of_the_block(cuda: Any) -> None:
    cuda.memory_reserved.side_effect = [3 * GIB, 4 * GIB]
    cuda.max_memory_reserved.return_value = 13 * GIB
    work = mock.Mock()
    with suppress(ZeroDivisionError), CheckedGpu(torch.device("cuda"), "").half_of_the_memory_for(work):
        work.assert_called_once_with()
        cuda.set_per_process_memory_fraction.assert_called_once_with(9 / 80, DEVICE)
        raise ZeroDivisionError
    cuda.set_per_process_memory_fraction.assert_called_with(1.0, DEVICE)


def test_waits_are_errors_until_the_end_of_the_block(cuda: Any) -> None:
    with suppress(ZeroDivisionError), CheckedGpu(DEVICE, "").waits_forbidden():
        cuda.set_sync_debug_mode.assert_called_once_with("error")
        raise ZeroDivisionError
    cuda.set_sync_debug_mode.assert_called_with("default")


def test_a_value_is_read_only_in_a_recording(cuda: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = TextGenerator(9, 4, 4)
    CheckedGpu(DEVICE, "").let_recordings_fail(model)
    item = mock.Mock()
    monkeypatch.setattr(torch.Tensor, "item", item)
    for is_recording in (False, True):
        cuda.is_current_stream_capturing.return_value = is_recording
        model(torch.ones(1, 2, dtype=torch.int64))
        assert item.called == is_recording


def test_the_facts_are_the_gpu_and_the_versions_that_compute(cuda: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cuda.get_device_capability.return_value = 9, 0
    cuda.get_device_name.return_value = "NVIDIA H100"
    monkeypatch.setattr(gpu, "cudnn_version", lambda: 91500)
    monkeypatch.setattr(torch, "version", SimpleNamespace(cuda="13.0"))
    found = CheckedGpu(DEVICE, "580.65.06").facts()
    expected = {"gpu": "NVIDIA H100", "capability": "9.0", "driver": "580.65.06", "CUDA": "13.0", "cuDNN": "91500"}
    assert found == {**expected, "torch": torch.__version__}
    assert CheckedGpu(torch.device("mps"), "").facts() == {"gpu": "mps", "torch": torch.__version__}
