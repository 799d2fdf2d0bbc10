"""The states of the followers' random generators, as checkpoints store them and leases carry them."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.checkpoints.checkpoint import Checkpoint


def rank_generators(checkpoint: Checkpoint, device_type: str) -> dict[int, Tensor]:
    """Return the states of the followers' generators in a checkpoint, (bytes,) uint8 each, by rank."""
    prefix = f"generator.{device_type}."
    found = {name.removeprefix(prefix): state for name, state in checkpoint.tensors.items() if name.startswith(prefix)}
    return {int(rank): state for rank, state in found.items() if rank.isdecimal()}


def to_hex(state: Tensor) -> str:
    """Return a generator's state, (bytes,) uint8, as text."""
    return bytes(state.numpy()).hex()


def from_hex(text: str) -> Tensor:
    """Return the state that `to_hex` has encoded."""
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)
