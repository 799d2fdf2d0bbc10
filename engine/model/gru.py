"""`TextGenerator`: the tutorial's model, a GRU that predicts the next character, and its `NgramInput`.

Shapes, here and in all other modules: B batch, T characters, V vocabulary, E embedding, H hidden, L layers;
N characters of a batch without padding.

        inp (B, T) ──embed──> (B, T, E) ──rnn──> (B, T, H) ──proj──> logits (B, T, V)
                                        hidden (L, B, H) ──> hidden (L, B, H)

The last two to four characters may have an input of their own to the candidate state of the first layer. With c the sum
of the rows of a place's contexts in a table, the candidate is

    n = tanh(W_in x + b_in + c + r * (W_hn h' + b_hn))

A GRU spends its first minutes on frequent letter sequences. Here each of them has a vector of its own, learned within
seconds. No two contexts share a row, and a rare context has no row and no effect. Rows that are added to the logits in
place of the candidate gain a third as much (docs/recipes.md).

Attribute and parameter names are the tutorial's (CSC321 Tutorial 11), so a `state_dict` of either loads in the other,
except for `ngram_input.*`, which the tutorial's model lacks.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from engine.config.run import ModelConfig
from engine.model.vocab import EMPTY_WINDOW, LONGEST, ORDERS, PAD, appended, context_code

NO_ROW = 0
"""The row of contexts outside of the table: always zero."""


class NgramInput(nn.Module):
    """One row of H numbers for each of R contexts, and row `NO_ROW`."""

    contexts: Tensor
    """(R,) int64, ascending: the context code of each row, from row 1 on."""

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


# Only a single layer without an n-gram input is in memory as cuDNN needs it; torch copies others, with a warning.
warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")

TABLE_NAME = "ngram_input.weight"
"""The name of the parameter that is the table of an `NgramInput`."""

_INITIALIZATIONS = frozenset({nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_})


class _NoInitialization(TorchFunctionMode):
    """Skips the initialization of weights: on the meta device it would import PyTorch's compiler, for seconds."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - the result of any function
        """Call `func`, unless it initializes a tensor."""
        named = kwargs or {}
        return named["tensor"] if func in _INITIALIZATIONS else func(*args, **named)


class TextGenerator(nn.Module):
    """Embedding, GRU and output projection, with dropout between GRU layers and before the projection."""

    ngram_input: NgramInput | None

    def __init__(
        self,
        vocab_size: int,
        embedding_size: int,
        hidden_size: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        *,
        tied_embeddings: bool = False,
        ngram_contexts: int = 0,
    ) -> None:
        """Draw PyTorch's default initial weights from the global generator.

        With `tied_embeddings` (Press and Wolf 2017, arXiv:1608.05859), `embed` and `proj` share one matrix, (V, H),
        with an initial standard deviation of H^-1/2. With `ngram_contexts`, there is an `ngram_input` of so many rows.
        """
        super().__init__()
        self.embed = nn.Embedding(vocab_size, embedding_size)
        between_layers = dropout if num_layers > 1 else 0.0  # nn.GRU warns about dropout with one layer
        self.rnn = nn.GRU(embedding_size, hidden_size, num_layers, batch_first=True, dropout=between_layers)
        self.dropout = nn.Dropout(dropout)
        self.proj = nn.Linear(hidden_size, vocab_size)
        if tied_embeddings:
            nn.init.normal_(self.embed.weight, std=hidden_size**-0.5)
            self.proj.weight = self.embed.weight
        self.ngram_input = NgramInput(ngram_contexts, hidden_size) if ngram_contexts else None

    @classmethod
    def from_config(cls, vocab_size: int, config: ModelConfig) -> TextGenerator:
        """Return a new model of the sizes in `config`."""
        shape = config.embedding_size, config.hidden_size, config.num_layers, config.dropout
        return cls(vocab_size, *shape, tied_embeddings=config.tied_embeddings, ngram_contexts=config.ngram_contexts)

    @classmethod
    def without_weights(cls, vocab_size: int, config: ModelConfig) -> TextGenerator:
        """Return a new model on the meta device: its weights have shapes and no memory. Draws no random number."""
        with torch.device("meta"), _NoInitialization():
            return cls.from_config(vocab_size, config)

    @property
    def num_parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.proj.weight.device

    def forward(self, inp: Tensor, hidden: Tensor | None = None, before: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the logits (B, T, V) of the character after each one of `inp`, and the last hidden state (L, B, H).

        `inp` (B, T) token ids; `hidden` (L, B, H), None for zeros; `before` (B, 3) the token ids before `inp`, None at
        the start of a tweet, matters to the `ngram_input` only.
        """
        inputs = self.embed(inp)  # (B, T, E)
        if hidden is None:
            hidden = inputs.new_zeros(self.rnn.num_layers, len(inp), self.rnn.hidden_size)
        if self.ngram_input is not None:
            candidate = self.ngram_input(inp, before).to(inputs.dtype)  # (B, T, H)
            inputs = torch.cat([inputs, candidate], dim=-1)  # (B, T, E + H)
        output, hidden = run_gru(self.rnn, inputs, hidden, batch_first=True)  # (B, T, H), (L, B, H)
        return self.proj(self.dropout(output)), hidden  # (B, T, V)


def run_gru(rnn: nn.GRU, inputs: Tensor, hidden: Tensor, *, batch_first: bool) -> tuple[Tensor, Tensor]:
    """Return outputs and last hidden state (L, B, H) of a GRU, which is `nn.GRU.forward` layer by layer.

    The inputs are (B, T, E), or (B, T, E + H) if they end in those of the candidate, see `widened_weight`. Inputs and
    outputs are time-major unless `batch_first`.

    The dropout between the layers is torch's own: cuDNN draws its masks from a generator that no checkpoint stores.
    """
    last = []
    options = rnn.bias, 1, 0.0, rnn.training, rnn.bidirectional, batch_first
    for number, weights in enumerate(rnn.all_weights):
        used: list[Tensor] = list(weights)
        if number:
            inputs = F.dropout(inputs, rnn.dropout, rnn.training)
        elif inputs.shape[-1] > rnn.input_size:
            used[0] = widened_weight(weights[0])
        inputs, state = torch.gru(inputs, hidden[number : number + 1], used, *options)
        last.append(state)
    return inputs, torch.cat(last)  # (B, T, H), (L, B, H)


def weights_with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names start with `prefix`, as a `state_dict` without the prefix."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
