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

    def take(self, name: str, *shape: int) -> Tensor:
        """Return the buffer of this name in this shape, contiguous; earlier views of the same name share its memory."""
        size = 1
        for extent in shape:
            size *= extent
        flat = self._flat.get(name)
        if flat is None or flat.numel() < size:
            flat = self._flat[name] = torch.empty(size, dtype=self._dtype)
        return flat[:size].view(shape)
