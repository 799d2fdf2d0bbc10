"""`Buffers`: working memory by name, kept from step to step, so that a step allocates nothing large."""

from __future__ import annotations

import torch
from torch import Tensor


class Buffers:
    """Tensors of one dtype on the processor. What a buffer holds is undefined until it is written to."""

    def __init__(self, dtype: torch.dtype) -> None:
        """Start without any; they grow with the largest batch."""
        self._dtype = dtype
        self._flat: dict[str, Tensor] = {}

    def hold(self, name: str, tensor: Tensor) -> Tensor:
        """Return `tensor` itself if it has this dtype, else its rounded copy in the buffer of this name."""
        return tensor if tensor.dtype == self._dtype else self.take(name, *tensor.shape).copy_(tensor)

    def take(self, name: str, *shape: int) -> Tensor:
        """Return the buffer of this name in this shape, contiguous; earlier views of the same name share its memory."""
        size = 1
        for extent in shape:
            size *= extent
        flat = self._flat.get(name)
        if flat is None or flat.numel() < size:
            # twice the size: what is never written to takes no memory, but each buffer outgrown leaves a hole
            flat = self._flat[name] = torch.empty(2 * size, dtype=self._dtype)
        return flat[:size].view(shape)
