"""`HostCopy`: the tensors of a checkpoint in one buffer of host memory, laid out as in the file.

The copy is all that delays training: another thread checks, hashes and writes the buffer, without a further copy and
mostly without the interpreter's lock. It uses NumPy for that: torch would start threads of its own beside the run's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.checkpoints.header import TensorSpec

SQUARES = ("optimizer.exp_avg_sq.", "optimizer.row_square.")
"""Prefixes of the squared gradients; one that overflows to infinity stops the change of its weights, and no more."""


@dataclass(frozen=True, eq=False)
class HostCopy:
    """A copy of named tensors. Any thread may read it, after `wait`."""

    buffer: Tensor
    """All bytes, (N,) uint8; pinned if the tensors are on a CUDA device."""
    tensors: dict[str, Tensor]
    """Views of the buffer in the order of the file: larger elements first, so that all are aligned; then by name."""
    is_copied: torch.cuda.Event | None
    """Recorded after the copies of a CUDA device; None where they are complete."""

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], spare: HostCopy | None = None) -> HostCopy:
        """Copy tensors, into the buffer of `spare`, whose content is not needed any more, if it fits.

        On CUDA the copies are queued on the current stream, before the work that changes the tensors next. Raises what
        torch raises where memory runs out.
        """
        order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
        num_bytes = sum(tensor.nbytes for tensor in tensors.values())
        device = next((tensor.device for tensor in tensors.values() if tensor.is_cuda), None)
        if spare is not None and len(spare.buffer) == num_bytes and (spare.is_copied is None) == (device is None):
            buffer = spare.buffer
        else:
            buffer = torch.empty(num_bytes, dtype=torch.uint8, pin_memory=device is not None)
        views: dict[str, Tensor] = {}
        first = 0
        for name in order:
            source = tensors[name].detach()
            last = first + source.nbytes
            views[name] = buffer[first:last].view(source.dtype).view(source.shape)
            views[name].copy_(source, non_blocking=source.is_cuda)
            first = last
        is_copied = None
        if device is not None:
            is_copied = torch.cuda.Event()  # type: ignore[no-untyped-call] # torch leaves it untyped
            is_copied.record(torch.cuda.current_stream(device))
        return cls(buffer, views, is_copied)

    def wait(self) -> None:
        """Wait until the device has copied."""
        if self.is_copied is not None:
            self.is_copied.synchronize()

    @property
    def specs(self) -> dict[str, TensorSpec]:
        """Dtype, shape and offsets of each tensor, as in the header of the file."""
        specs: dict[str, TensorSpec] = {}
        first = 0
        for name, tensor in self.tensors.items():
            kind = "F" if tensor.is_floating_point() else "I" if tensor.is_signed() else "U"
            last = first + tensor.nbytes
            specs[name] = TensorSpec(f"{kind}{8 * tensor.element_size()}", tuple(tensor.shape), (first, last))
            first = last
        return specs

    @property
    def content(self) -> memoryview:
        """All bytes of the tensors; not a copy."""
        return self.buffer.numpy().data

    @property
    def is_finite(self) -> bool:
        """Whether all numbers are finite, so that the checkpoint can be loaded.

        A squared gradient may be infinite, see `SQUARES`.
        """
        for name, tensor in self.tensors.items():
            values = tensor.numpy()
            with np.errstate(all="ignore"):  # a sum of finite numbers may overflow
                if tensor.is_floating_point() and not np.isfinite(values.sum()) and not np.isfinite(values).all():
                    is_square = name.startswith(SQUARES)
                    if not is_square or not (values >= 0).all():
                        return False
        return True
