"""`LossBuffer`: the loss and the gradient norm of each step, kept on the device until somebody asks.

To read a number from a GPU is to wait for all that it has been given. So a step writes its two numbers into a ring on
the device, at a place that the device counts up itself: all of it can be part of a CUDA graph. The host only counts
along how many there are.
"""

from __future__ import annotations

import torch
from torch import Tensor

CAPACITY = 1024
"""Steps between two reports that take no extra reading; a report comes every tenth of a second."""


class LossBuffer:
    """Numbers of steps in order, none lost. One thread at a time."""

    def __init__(self, device: torch.device) -> None:
        """Begin without any."""
        self._ring = torch.zeros(2, CAPACITY, device=device)
        self._place = torch.zeros(1, dtype=torch.int64, device=device)  # where the device writes next
        self._num_counted = 0
        self._num_unread = 0
        self._read: list[tuple[float, float]] = []

    def __len__(self) -> int:
        """Return how many steps `take` would tell of."""
        return len(self._read) + self._num_unread

    def write(self, loss: Tensor, grad_norm: Tensor) -> None:
        """Write the numbers of a step, () each, on the device. Waits for nothing; `count` follows on the host."""
        column = torch.stack([loss, grad_norm]).to(self._ring.dtype).unsqueeze(1)  # (2, 1)
        self._ring.scatter_(1, self._place.expand(2, 1), column)
        self._place.add_(1).remainder_(CAPACITY)

    def count(self) -> None:
        """Take note on the host that a step has been written, or will have been once the device gets to it."""
        self._num_counted += 1
        self._num_unread += 1
        if self._num_unread == CAPACITY:
            self._drain()

    def _drain(self) -> None:
        """Read what is new; waits for the device."""
        losses, norms = self._ring.tolist()
        first = self._num_counted - self._num_unread
        places = [place % CAPACITY for place in range(first, self._num_counted)]
        self._read += [(losses[place], norms[place]) for place in places]
        self._num_unread = 0

    def take(self) -> tuple[list[float], list[float]]:
        """Return losses and gradient norms of all steps since the last time; waits for the device once."""
        if self._num_unread:
            self._drain()
        losses, norms = [loss for loss, _ in self._read], [norm for _, norm in self._read]
        self._read = []
        return losses, norms

    def clear(self) -> None:
        """Forget the steps that have not been told."""
        self._num_unread = 0
        self._read = []
