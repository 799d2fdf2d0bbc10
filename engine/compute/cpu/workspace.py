"""`Buffers`, named memory reused from step to step so that a step allocates nothing large; `Dropout`, which uses it."""

from __future__ import annotations

import torch
from torch import Tensor


class Buffers:
    """Tensors of one dtype on the CPU. The content of a buffer is undefined until it is written."""

    def __init__(self, dtype: torch.dtype) -> None:
        """Start without buffers; they grow with the largest batch."""
        self._dtype = dtype
        self._flat: dict[str, Tensor] = {}

    def cast(self, name: str, tensor: Tensor) -> Tensor:
        """Return `tensor` itself if it has this dtype, else a rounded copy in the buffer of this name."""
        return tensor if tensor.dtype == self._dtype else self.get(name, *tensor.shape).copy_(tensor)

    def like(self, name: str, tensor: Tensor) -> Tensor:
        """Return `tensor` itself if it has this dtype, else the buffer of this name in its shape."""
        return tensor if tensor.dtype == self._dtype else self.get(name, *tensor.shape)

    def get(self, name: str, *shape: int) -> Tensor:
        """Return the buffer of this name in this shape, contiguous; earlier views of the same name share its memory."""
        size = 1
        for extent in shape:
            size *= extent
        flat = self._flat.get(name)
        if flat is None or flat.numel() < size:
            # twice the size: pages that are never written take no memory, but each outgrown buffer leaves a hole
            flat = self._flat[name] = torch.empty(2 * size, dtype=self._dtype)
        return flat[:size].view(shape)


class Dropout:
    """Dropout and its backward pass; both multiply by a mask of 0 and 1 / (1 - p), drawn from a generator."""

    def __init__(self, probability: float, dtype: torch.dtype) -> None:
        """Drop each number with this probability. In bfloat16 the factor is rounded, by at most 0.2 %."""
        self._probability = probability
        self._buffers = Buffers(dtype)
        self.generator: torch.Generator | None = None
        """None for torch's own."""
        self.mask: Tensor | None = None
        """The factors of the last forward pass; None if it dropped nothing."""

    def forward(self, states: Tensor, *, is_training: bool) -> Tensor:
        """Return the states after dropout; `states` is unchanged."""
        self.mask = None
        if not is_training or self._probability == 0.0:
            return states
        kept = 1 - self._probability
        self.mask = self._buffers.get("mask", *states.shape).bernoulli_(kept, generator=self.generator)
        if kept > 0:
            self.mask.div_(kept)
        return torch.mul(states, self.mask, out=self._buffers.get("dropped", *states.shape))

    def backward(self, grads: Tensor) -> Tensor:
        """Return the gradient by the states, given the one by the output; overwrites `grads`."""
        return grads if self.mask is None else grads.mul_(self.mask)
