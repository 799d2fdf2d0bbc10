"""`LossBuffer`: loss and gradient norm of each step, buffered on the device until the host reads many at once.

Reading one number from a GPU waits for all work queued before it. So each step writes its two numbers to a ring buffer
on the device, at a position that the device increments itself, which lets a CUDA graph include the write. The
numbers are selected, not scattered: torch's deterministic `scatter_` can't be recorded. The host only counts the steps.
"""

from __future__ import annotations

import torch
from torch import Tensor

CAPACITY = 1024
"""Steps between two reports without an extra read; a report comes every tenth of a second."""


class LossBuffer:
    """Losses and gradient norms in step order, none lost. Not thread-safe."""

    def __init__(self, device: torch.device) -> None:
        """Allocate an empty buffer on the device."""
        self._ring = torch.zeros(2, CAPACITY, device=device)
        self._columns = torch.arange(CAPACITY, device=device)
        self._position = torch.zeros(1, dtype=torch.int64, device=device)  # of the device's next write
        self._num_counted = 0
        self._num_unread = 0
        self._read: list[tuple[float, float]] = []

    def __len__(self) -> int:
        """Return the number of steps that `drain` would return."""
        return len(self._read) + self._num_unread

    def write(self, loss: Tensor, grad_norm: Tensor) -> None:
        """Append a step's numbers, () each, on the device, without waiting. The host must call `count` once a step."""
        column = torch.stack([loss, grad_norm]).to(self._ring.dtype).unsqueeze(1)  # (2, 1)
        torch.where(self._columns == self._position, column, self._ring, out=self._ring)
        self._position.add_(1).remainder_(CAPACITY)

    def count(self) -> None:
        """Count a step whose `write` the device has executed or queued."""
        self._num_counted += 1
        self._num_unread += 1
        if self._num_unread == CAPACITY:
            self._read_device()

    def _read_device(self) -> None:
        """Copy the unread steps to the host; waits for the device."""
        losses, norms = self._ring.tolist()
        first = self._num_counted - self._num_unread
        positions = [number % CAPACITY for number in range(first, self._num_counted)]
        self._read += [(losses[position], norms[position]) for position in positions]
        self._num_unread = 0

    def drain(self) -> tuple[list[float], list[float]]:
        """Return losses and gradient norms of all steps since the last call; waits for the device once."""
        if self._num_unread:
            self._read_device()
        losses, norms = [loss for loss, _ in self._read], [norm for _, norm in self._read]
        self._read = []
        return losses, norms

    def clear(self) -> None:
        """Discard all steps that have not been drained."""
        self._num_unread = 0
        self._read = []
