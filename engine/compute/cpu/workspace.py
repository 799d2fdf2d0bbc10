"""Working memory by name, kept from step to step, so that a step allocates nothing large; and what dropout keeps in it.

`Dropout` has a backward pass of its own: a mask of zeros and of 1 / (1 - p), which both passes multiply by.
"""

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


class Dropout:
    """Dropout at one place of the model; the mask is drawn from torch's global generator."""

    def __init__(self, probability: float, dtype: torch.dtype) -> None:
        """Drop each number with this probability. In bfloat16 the factor is rounded as well, by 0.2 % at most."""
        self._probability = probability
        self._buffers = Buffers(dtype)
        self.mask: Tensor | None = None
        """What the last forward pass multiplied by; None if it dropped nothing."""

    def forward(self, states: Tensor, *, is_training: bool) -> Tensor:
        """Return the states with some dropped and the rest scaled up; `states` stays as it is."""
        self.mask = None
        if not is_training or self._probability == 0.0:
            return states
        kept = 1 - self._probability
        self.mask = self._buffers.take("mask", *states.shape).bernoulli_(kept)
        if kept > 0:
            self.mask.div_(kept)
        return torch.mul(states, self.mask, out=self._buffers.take("dropped", *states.shape))

    def backward(self, grads: Tensor) -> Tensor:
        """Return the gradient by the states, in place of that by what `forward` returned."""
        return grads if self.mask is None else grads.mul_(self.mask)
