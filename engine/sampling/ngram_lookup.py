"""`NgramLookup`: the n-gram input of B tweets, one character at a time, on any device.

`NgramInput.forward` is the readable reference. This one allocates no memory, so that a CUDA graph can record it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.compute.cpu.inference_weights import NgramTable
from engine.model.ngram_codes import ID_BITS, LONGEST, NUM_IDS, ORDERS
from engine.model.vocab import UNK


class NgramLookup:
    """The last characters of B tweets, and the buffers of a step. Not thread-safe."""

    def __init__(self, table: NgramTable, windows: Tensor, vocab_size: int) -> None:
        """Continue after `windows` (B,) of `ngram_codes`, which are updated in place."""
        self._table = table
        self._windows = windows
        ids = torch.arange(vocab_size, device=windows.device)
        self._ids = ids.masked_fill_(ids >= NUM_IDS, UNK)  # (V,): each character's in a window
        self._shifts = ID_BITS * (LONGEST - torch.tensor(ORDERS, device=windows.device)[:, None])  # (3, 1)
        num_tweets = len(windows)
        self._last = torch.empty_like(windows)
        self._codes, self._rows, self._found = (windows.new_empty(len(ORDERS), num_tweets) for _ in range(3))
        self._is_found = torch.empty_like(self._codes, dtype=torch.bool)
        self._added = table.weight.new_empty(num_tweets, table.weight.shape[1])  # (B, H)

    def add_to(self, candidate: Tensor, token_ids: Tensor) -> None:
        """Append a character, (B,), to each tweet, and add the rows of its contexts to `candidate` (B, H)."""
        torch.index_select(self._ids, 0, token_ids, out=self._last)
        self._windows.bitwise_left_shift_(ID_BITS).bitwise_or_(self._last)
        torch.bitwise_left_shift(self._windows, self._shifts, out=self._codes)
        contexts = self._table.contexts
        torch.searchsorted(contexts, self._codes, out=self._rows)
        self._rows.clamp_(max=len(contexts) - 1)
        torch.index_select(contexts, 0, self._rows.view(-1), out=self._found.view(-1))
        torch.eq(self._found, self._codes, out=self._is_found)
        self._rows.add_(1).mul_(self._is_found)
        for rows in self._rows:
            candidate.add_(torch.index_select(self._table.weight, 0, rows, out=self._added))
