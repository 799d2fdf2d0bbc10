"""`NgramInput`: a table of inputs of the first layer's candidate state by the last two, three and four characters.

With c the sum of the rows of a place's contexts, the candidate of the first layer is

    n = tanh(W_in x + b_in + c + r * (W_hn h' + b_hn))

A GRU spends its first minutes on frequent letter sequences. Here each of them has a vector of its own, learned within
seconds. No two contexts share a row, and a rare context has no row and no effect. Rows that are added to the logits in
place of the candidate gain a third as much (docs/recipes.md).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, nn

from engine.model.ngram_codes import EMPTY_WINDOW, LONGEST, ORDERS, appended, context_code
from engine.model.vocab import PAD

NO_ROW = 0
"""The row of contexts outside of the table: always zero."""


class NgramInput(nn.Module):
    """One row of H numbers for each of R contexts, and row `NO_ROW`."""

    contexts: Tensor
    """(R,) int64, ascending: the code (`ngram_codes`) of each row, from row 1 on."""

    def __init__(self, num_contexts: int, hidden_size: int) -> None:
        """Start with zeros; `contexts` must be set before use. Draws no random number."""
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1 + num_contexts, hidden_size))  # (1 + R, H)
        self.register_buffer("contexts", torch.zeros(num_contexts, dtype=torch.int64))

    def rows_of(self, inp: Tensor, before: Tensor | None = None) -> Tensor:
        """Return the rows of the last two, three and four characters at each place, (3, B, T).

        `inp` (B, T) token ids; `before` (B, 3) the ids before them, None at the start of a tweet, where they count as
        `PAD`. A place of padding has no row.
        """
        if before is None:
            before = inp.new_full((len(inp), LONGEST - 1), PAD)
        ids = torch.cat([before, inp], dim=1).long()  # (B, 3 + T)
        num_places = inp.shape[1]
        windows = torch.full_like(inp, EMPTY_WINDOW, dtype=torch.int64)  # (B, T)
        for first in range(LONGEST):
            windows = appended(windows, ids[:, first : first + num_places])
        codes = torch.stack([context_code(windows, order) for order in ORDERS])  # (3, B, T)
        places = torch.searchsorted(self.contexts, codes).clamp(max=len(self.contexts) - 1)
        return torch.where((self.contexts[places] == codes) & (inp != PAD), places + 1, NO_ROW)

    def sums(self, rows: Tensor) -> Tensor:
        """Return the sum of the rows of each place, (..., H), of rows (3, ...) as `rows_of` returns them."""
        return F.embedding(rows, self.weight, padding_idx=NO_ROW).sum(dim=0)  # without a gradient of that row

    def forward(self, inp: Tensor, before: Tensor | None = None) -> Tensor:
        """Return the input of the candidate, (B, T, H), at each character of `inp`; arguments as of `rows_of`."""
        return self.sums(self.rows_of(inp, before))


def widened_weight(weight_ih: Tensor) -> Tensor:
    """Return the first layer's weight for the input [embedding, c], (3H, E + H), of its own (3H, E).

    `torch.gru` accepts no input of the candidate. But with c as further columns of the layer's input, with zeros as
    their weights to the gates r and z and the identity to n, it computes the same, also by cuDNN. Its cost: the input's
    product of that layer has E + H columns in place of E, and cuDNN copies all weights of the GRU to a buffer of its
    own in each call; the recurrence is unchanged.
    """
    size = len(weight_ih) // 3
    identity = torch.eye(size, dtype=weight_ih.dtype, device=weight_ih.device)
    to_candidate = F.pad(identity, (0, 0, 2 * size, 0))  # (3H, H)
    return torch.cat([weight_ih, to_candidate], dim=1)
