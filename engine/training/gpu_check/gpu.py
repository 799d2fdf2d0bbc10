"""`CheckedGpu`: the GPU that is checked, and what only CUDA can do with it.

Everything else of a check is the program itself: a model that was `moved` here is trained, evaluated and sampled from
as in a run. The tests have another class in its place, whose device is a fake on the CPU.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from engine.compute.device import cudnn_version, may_train_in_bfloat16
from engine.compute.memory import free_memory
from engine.model.gru import TextGenerator


class CheckedGpu:
    """One device of this process: CUDA's, or MPS, of which only a part is checked."""

    def __init__(self, device: torch.device, driver: str) -> None:
        """Check this device, of CUDA the one in use, whose driver has this version; empty if it is not known."""
        if device.type == "cuda":  # torch's limit of memory asks for its number
            device = torch.device("cuda", torch.cuda.current_device())
        self.device = device
        self._driver = driver
        self.has_graphs = device.type == "cuda"
        """Whether steps are recorded, and memory and waiting can be observed."""
        self.has_bfloat16 = may_train_in_bfloat16(device)

    def moved(self, model: TextGenerator) -> TextGenerator:
        """Return a copy of a model on the device."""
        return copy.deepcopy(model).to(self.device)

    def facts(self) -> dict[str, str]:
        """Return what computes: the GPU, and the versions of torch and of the libraries that it uses, by name."""
        if self.device.type != "cuda":
            return {"gpu": self.device.type, "torch": torch.__version__}
        major, minor = torch.cuda.get_device_capability(self.device)
        return {
            "gpu": torch.cuda.get_device_name(self.device),
            "capability": f"{major}.{minor}",
            "driver": self._driver or "unknown",
            "torch": torch.__version__,
            "CUDA": torch.version.cuda or "unknown",
            "cuDNN": str(cudnn_version() or "unknown"),
        }

    @contextmanager
    def waits_forbidden(self) -> Iterator[None]:
        """Raise `RuntimeError` in the block where torch lets the host wait for the device.

        torch (2.13) does so in each copy that is not asynchronous and in each wait for a stream
        (`c10/cuda/CUDAFunctions.h`). It does not in a wait for an event (`c10/cuda/CUDAEvent.h`), so that `Backlog` may
        limit the queue, nor in `torch.cuda.synchronize`. What the driver waits for by itself, as in a large copy from
        memory that is not pinned, is seen in the time of a step only.
        """
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Synchronization debug mode is a prototype feature")
            torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")

    def bytes_in_use(self) -> tuple[int, int]:
        """Return the bytes of all tensors on the device, and those that torch has reserved; waits for the device."""
        torch.cuda.synchronize(self.device)
        return torch.cuda.memory_allocated(self.device), torch.cuda.memory_reserved(self.device)

    @contextmanager
    def half_of_the_memory_for(self, work: Callable[[], object]) -> Iterator[None]:
        """Run `work`; then, in the block, allow half of the memory that it has needed, besides what is in use.

        The limit is that of torch's allocator, which raises `OutOfMemoryError` as it does where a GPU is full.
        """
        free_memory(self.device)
        before = torch.cuda.memory_reserved(self.device)
        torch.cuda.reset_peak_memory_stats(self.device)
        work()
        torch.cuda.synchronize(self.device)
        needed = torch.cuda.max_memory_reserved(self.device) - before
        free_memory(self.device)
        allowed = torch.cuda.memory_reserved(self.device) + needed // 2
        total = torch.cuda.get_device_properties(self.device).total_memory
        torch.cuda.set_per_process_memory_fraction(allowed / total, self.device)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, self.device)

    def let_recordings_fail(self, model: TextGenerator) -> None:
        """Read a value in each step of a model on the device while it is recorded, which CUDA does not permit."""

        def read(_module: torch.nn.Module, _inputs: object, logits: torch.Tensor) -> None:
            if torch.cuda.is_current_stream_capturing():
                logits.sum().item()

        model.proj.register_forward_hook(read)
