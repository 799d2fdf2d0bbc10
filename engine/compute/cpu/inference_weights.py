"""A model's weights, laid out for reading: forward only, no gradient, no dropout.

The first layer's input is one of V, so its product and all biases are a table, and reading a character is a look-up.
What a step needs stands in columns `r z m n`, as in `gru_layer`: a row of the table, or what `write_input` writes, plus
one product with the state.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor, nn

from engine.model.gru import TextGenerator


class InferenceLayer:
    """The weights of one GRU layer; what products take faster in another order is laid out so when it is asked for."""

    def __init__(self, rnn: nn.GRU, number: int) -> None:
        """Copy those of layer `number`."""
        bias_ih, bias_hh = (getattr(rnn, f"{name}_l{number}").detach() for name in ("bias_ih", "bias_hh"))
        weight_ih: Tensor = getattr(rnn, f"weight_ih_l{number}").detach()
        self.weight_ih = weight_ih.clone() if number else weight_ih  # (3H, E or H): r z n; the first's is used but once
        self.weight_hh: Tensor = getattr(rnn, f"weight_hh_l{number}").detach().clone()  # (3H, H): r z m
        self._number, self._size = number, rnn.hidden_size
        gates = 2 * rnn.hidden_size
        self.bias = torch.cat([bias_ih[:gates] + bias_hh[:gates], bias_hh[gates:], bias_ih[gates:]])  # (4H,)

    @cached_property
    def from_state(self) -> Tensor:
        """A copy (H, 3H), which products with many rows take faster."""
        return self.weight_hh.t().contiguous()

    @cached_property
    def from_below(self) -> Tensor:
        """A copy (H, 3H), which products with many rows take faster; the first layer's, used once, as it is."""
        return self.weight_ih.t().contiguous() if self._number else self.weight_ih.t()

    def write_input(self, inputs: Tensor, columns: Tensor) -> Tensor:
        """Write what `inputs` (M, E or H) and the biases add up to into `columns` (M, 4H), and return these."""
        gates, new = 2 * self._size, 3 * self._size
        columns.copy_(self.bias)
        columns[:, :gates].addmm_(inputs, self.from_below[:, :gates])
        columns[:, new:].addmm_(inputs, self.from_below[:, gates:])
        return columns


class InferenceWeights:
    """All weights of a model, as they were at the moment when this was made."""

    @torch.no_grad()
    def __init__(self, model: TextGenerator) -> None:
        """Copy them, and work out the table."""
        self.layers = [InferenceLayer(model.rnn, number) for number in range(model.rnn.num_layers)]
        self.hidden_size = model.rnn.hidden_size
        embedded = model.embed.weight.detach()
        self.table = self.layers[0].write_input(embedded, embedded.new_empty(len(embedded), 4 * self.hidden_size))
        self.proj_weight = model.proj.weight.detach().clone()  # (V, H)
        self.proj_bias = model.proj.bias.detach().clone()  # (V,)

    @cached_property
    def to_logits(self) -> Tensor:
        """A copy of `proj_weight` (H, V), which products with many rows take faster."""
        return self.proj_weight.t().contiguous()
