"""`NgramBias`: a table of logits by the last two and the last three characters, added to those of the GRU.

This is the maximum-entropy model of Mikolov et al. 2011 (RNNME, "Strategies for training large scale neural network
language models"), learned jointly with the network. Theirs hashes the n-grams; here each frequent context has a row
of its own, so that no two share one, and a rare context has no row and no effect. Frequent letter sequences are then
learned within seconds, and the GRU can use its units for the rest.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, nn

from engine.model.ngram_codes import pair_code, triple_code
from engine.model.vocab import PAD

NO_ROW = 0
"""The row of contexts outside of the table: always zero."""
LONGEST = 3
"""Characters of the longest context."""


class NgramBias(nn.Module):
    """One row of V logits for each of R contexts, and row `NO_ROW`."""

    contexts: Tensor
    """(R,) int64, ascending: the code (`ngram_codes`) of each row, from row 1 on."""

    def __init__(self, num_contexts: int, vocab_size: int) -> None:
        """Start with zeros; `contexts` must be set before use. Draws no random number."""
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1 + num_contexts, vocab_size))  # (1 + R, V)
        self.register_buffer("contexts", torch.zeros(num_contexts, dtype=torch.int64))

    def rows_of(self, inp: Tensor, before: Tensor | None = None) -> Tensor:
        """Return the rows of the last two and of the last three characters at each place, (2, B, T).

        `inp` (B, T) token ids; `before` (B, 2) the ids before them, None at the start of a tweet, where they count as
        `PAD`.
        """
        if before is None:
            before = inp.new_full((len(inp), LONGEST - 1), PAD)
        ids = torch.cat([before, inp], dim=1).long()  # (B, 2 + T)
        first, middle, last = ids[:, :-2], ids[:, 1:-1], ids[:, 2:]  # (B, T) each
        codes = torch.stack([pair_code(middle, last), triple_code(first, middle, last)])  # (2, B, T)
        places = torch.searchsorted(self.contexts, codes).clamp(max=len(self.contexts) - 1)
        return torch.where(self.contexts[places] == codes, places + 1, NO_ROW)

    def logits(self, rows: Tensor) -> Tensor:
        """Return the sum of the two rows at each place, (..., V), of rows (2, ...) as `rows_of` returns them."""
        return F.embedding(rows, self.weight, padding_idx=NO_ROW).sum(dim=0)  # without a gradient of that row

    def forward(self, inp: Tensor, before: Tensor | None = None) -> Tensor:
        """Return the logits, (B, T, V), of the character after each one of `inp`; arguments as of `rows_of`."""
        return self.logits(self.rows_of(inp, before))
