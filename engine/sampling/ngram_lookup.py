"""`NgramLookup`: the n-gram bias of B tweets, one character at a time, on any device.

`NgramBias.forward` is the readable reference. This one allocates no memory, so that a CUDA graph can record it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.compute.cpu.inference_weights import NgramTable
from engine.model.ngram_codes import ID_BITS


class NgramLookup:
    """The last two characters of B tweets, and the buffers of a step. Not thread-safe."""

    def __init__(self, table: NgramTable, before: Tensor) -> None:
        """Continue after token ids `before` (2, B), which are updated in place."""
        self._table = table
        self._before = before
        self._codes, self._rows, self._found = (torch.empty_like(before) for _ in range(3))  # (2, B)
        self._is_found = torch.empty_like(before, dtype=torch.bool)
        self._bias = table.weight.new_empty(before.shape[1], table.weight.shape[1])  # (B, V)

    def add_to(self, logits: Tensor, token_ids: Tensor) -> None:
        """Append a character to each row, (B,), and add to `logits` (B, V) what the contexts of the next one add."""
        (first, middle), (pairs, triples) = self._before, self._codes
        torch.bitwise_left_shift(middle, ID_BITS, out=pairs).bitwise_or_(token_ids)
        torch.bitwise_left_shift(first, 2 * ID_BITS, out=triples).bitwise_or_(pairs)
        pairs.sub_(1 << 2 * ID_BITS)
        contexts = self._table.contexts
        torch.searchsorted(contexts, self._codes, out=self._rows)
        self._rows.clamp_(max=len(contexts) - 1)
        torch.index_select(contexts, 0, self._rows.view(-1), out=self._found.view(-1))
        torch.eq(self._found, self._codes, out=self._is_found)
        self._rows.add_(1).mul_(self._is_found)
        for rows in self._rows:
            logits.add_(torch.index_select(self._table.weight, 0, rows, out=self._bias))
        first.copy_(middle)
        middle.copy_(token_ids)
