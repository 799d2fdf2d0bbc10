"""`InferenceWeights`: a copy of a model's weights, laid out for a forward pass without gradient and dropout.

The first layer's input is one of V characters, so its product and all biases form a table, and reading a character is
a lookup. The input of a step has the columns `r z m n` of `layers`: a row of the table, with those of an n-gram
input added to `n`, or the result of `write_input`, plus one product with the state.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor, nn

from engine.model.gru import NgramInput, TextGenerator


class InferenceLayer:
    """The weights of one GRU layer; transposed copies are made on first use."""

    def __init__(self, rnn: nn.GRU, number: int) -> None:
        """Copy the weights of layer `number`."""
        bias_ih, bias_hh = (getattr(rnn, f"{name}_l{number}").detach() for name in ("bias_ih", "bias_hh"))
        weight_ih: Tensor = getattr(rnn, f"weight_ih_l{number}").detach()
        self.weight_ih = weight_ih.clone() if number else weight_ih  # (3H, E or H): r z n
        self.weight_hh: Tensor = getattr(rnn, f"weight_hh_l{number}").detach().clone()  # (3H, H): r z m
        self._number, self._size = number, rnn.hidden_size
        gates = 2 * rnn.hidden_size
        self.bias = torch.cat([bias_ih[:gates] + bias_hh[:gates], bias_hh[gates:], bias_ih[gates:]])  # (4H,)

    @cached_property
    def weight_hh_t(self) -> Tensor:
        """`weight_hh` transposed, (H, 3H), contiguous: faster in products with many rows."""
        return self.weight_hh.t().contiguous()

    @cached_property
    def weight_ih_t(self) -> Tensor:
        """`weight_ih` transposed, (E or H, 3H); contiguous, except in the first layer, which uses it only once."""
        return self.weight_ih.t().contiguous() if self._number else self.weight_ih.t()

    def write_input(self, inputs: Tensor, columns: Tensor) -> Tensor:
        """Write the input's part of `r z m n`, biases included, to `columns` (M, 4H) and return these.

        `inputs` (M, E or H).
        """
        gates, new = 2 * self._size, 3 * self._size
        columns.copy_(self.bias)
        columns[:, :gates].addmm_(inputs, self.weight_ih_t[:, :gates])
        columns[:, new:].addmm_(inputs, self.weight_ih_t[:, gates:])
        return columns


class NgramTable:
    """A copy of an n-gram input."""

    def __init__(self, ngram_input: NgramInput) -> None:
        """Copy the table; the contexts never change."""
        self.weight, self.contexts = ngram_input.weight.detach().clone(), ngram_input.contexts  # (1 + R, H), (R,)


class InferenceWeights:
    """All weights of a model at the time of the copy."""

    @torch.no_grad()
    def __init__(self, model: TextGenerator) -> None:
        """Copy the weights and compute the table of the first layer's inputs, (V, 4H)."""
        self.layers = [InferenceLayer(model.rnn, number) for number in range(model.rnn.num_layers)]
        self.hidden_size = model.rnn.hidden_size
        embedded = model.embed.weight.detach()
        self.table = self.layers[0].write_input(embedded, embedded.new_empty(len(embedded), 4 * self.hidden_size))
        self.proj_weight = model.proj.weight.detach().clone()  # (V, H)
        self.proj_bias = model.proj.bias.detach().clone()  # (V,)
        self.ngrams = None if model.ngram_input is None else NgramTable(model.ngram_input)

    @cached_property
    def proj_weight_t(self) -> Tensor:
        """`proj_weight` transposed, (H, V), contiguous: faster in products with many rows."""
        return self.proj_weight.t().contiguous()
