"""What there is to know of memory that is used up: how torch, NumPy and Python say so, and how room is made."""

from __future__ import annotations

import gc

import torch

_WORDS = (
    "out of memory",  # CUDA, MPS
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "can't allocate memory",  # torch's allocator on a processor
    "not enough memory",  # the same on other systems
)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory was used up, a device's or the machine's; some say so by a `RuntimeError` of their own."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in _WORDS)
    )


def release(device: torch.device) -> None:
    """Give back what nobody holds any more, and what torch keeps for later."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
