"""`Group`: the collectives of a run, sums and broadcasts of flat buffers; `TorchGroup` is torch's process group."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import Store

from engine.parallel.place import Place


class Group(Protocol):
    """The collectives. Each raises `RuntimeError` where another rank has ended, or does not take part in time."""

    @property
    def backend(self) -> str:
        """Nccl or gloo."""

    def all_reduce(self, tensor: Tensor) -> None:
        """Replace a tensor by the sum over all ranks."""

    def broadcast(self, tensor: Tensor) -> None:
        """Replace a tensor by that of rank 0."""

    def close(self) -> None:
        """Leave the group without waiting for other ranks."""


OpenGroup = Callable[[Store, Place], Group]


class TorchGroup:
    """The default process group of this process: NCCL on a GPU, else gloo."""

    def __init__(self, store: Store, place: Place, device: torch.device) -> None:
        """Join the group; all ranks do so at the same time."""
        self.backend = "nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(
            self.backend,
            store=store,
            rank=place.rank,
            world_size=place.world_size,
            timeout=timedelta(seconds=place.timeout_seconds),
            device_id=device if device.type == "cuda" else None,
        )

    def all_reduce(self, tensor: Tensor) -> None:
        """Sum; on a GPU this only queues the sum."""
        dist.all_reduce(tensor)

    def broadcast(self, tensor: Tensor) -> None:
        """Broadcast."""
        dist.broadcast(tensor, src=0)

    def close(self) -> None:
        """Destroy the group."""
        with contextlib.suppress(RuntimeError, ValueError):
            dist.destroy_process_group()
