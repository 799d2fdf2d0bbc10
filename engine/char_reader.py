"""`CharReader`: the model, laid out to read one character after another of B tweets. No gradient, no dropout.

`TextGenerator.forward` is the readable twin and gives the same. A sequence of one character is where `nn.GRU` is
slowest: most of its time goes into finding out what to do. Here that is settled beforehand:

* The first layer's input is one of V: its product and all biases are a table, and reading a character is a look-up.
* With columns `m r z n` (the gates of `engine.fast.gru_layer`), what the state adds is the first three quarters, what
  a layer below adds is the last three: one product each, into the memory where the gates then come about in place.
* The weights are copied as the products take them fastest. So a reader knows the weights of the moment at which it was
  made, and training that goes on later does not change what it reads.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.gru import TextGenerator
from engine.next_char import Floats, Ids


class _Layer:
    """One GRU layer's weights, with what belongs to `m r z n` in columns."""

    def __init__(self, rnn: nn.GRU, number: int) -> None:
        """Copy the weights of layer `number`."""
        weight_ih, weight_hh = getattr(rnn, f"weight_ih_l{number}"), getattr(rnn, f"weight_hh_l{number}")
        bias_ih, bias_hh = getattr(rnn, f"bias_ih_l{number}"), getattr(rnn, f"bias_hh_l{number}")
        size = rnn.hidden_size
        self.from_input = weight_ih.t().contiguous()  # (E or H, 3H): r z n
        self.from_state = weight_hh.roll(size, 0).t().contiguous()  # (H, 3H): m r z
        self.bias = torch.cat([bias_hh[2 * size :], bias_ih])  # (4H,)
        self.bias[size : 3 * size] += bias_hh[: 2 * size]


class _Gates:
    """Working memory of one layer for B rows, and the views of it that a step takes."""

    def __init__(self, num_rows: int, like: Tensor, size: int) -> None:
        """Allocate it where `like` lies."""
        self.all = like.new_empty(num_rows, 4 * size)
        self.from_state, self.from_input = self.all[:, : 3 * size], self.all[:, size:]
        self.sigmoids = self.all[:, size : 3 * size]
        self.state_part, self.reset, self.update, self.new = self.all.split(size, dim=1)


class CharReader:
    """Weights and hidden state (L, B, H) of B tweets that are read at once. Not thread-safe."""

    @torch.inference_mode()
    def __init__(self, model: TextGenerator) -> None:
        """Copy the weights; B is 1, and nothing is read yet."""
        self._layers = [_Layer(model.rnn, number) for number in range(model.rnn.num_layers)]
        self._size = model.rnn.hidden_size
        first = self._layers[0]
        self._table = first.bias.repeat(model.embed.num_embeddings, 1)  # (V, 4H)
        self._table[:, self._size :].addmm_(model.embed.weight, first.from_input)
        self._proj_weight = model.proj.weight.t().contiguous()  # (H, V)
        self._proj_bias = model.proj.bias.clone()  # (V,)
        self._set_hidden([self._table.new_zeros(1, self._size) for _ in self._layers])

    def _set_hidden(self, hidden: list[Tensor]) -> None:
        """Go on from these states, (B, H) a layer."""
        self._hidden = hidden
        num_rows = len(hidden[0])
        self._gates = [_Gates(num_rows, self._table, self._size) for _ in hidden]
        self._logits = self._table.new_empty(num_rows, len(self._table))

    @torch.inference_mode()
    def select(self, rows: Ids) -> None:
        """Go on with these of the B rows, in this order; a row may be taken more than once."""
        kept = torch.from_numpy(rows).to(self._table.device)
        self._set_hidden([hidden[kept] for hidden in self._hidden])

    @torch.inference_mode()
    def read(self, token_ids: Ids) -> Floats:
        """Read a character of each row, (B,); return the logits over the next, (B, V), valid until the next call."""
        torch.index_select(self._table, 0, torch.from_numpy(token_ids).to(self._table.device), out=self._gates[0].all)
        below: Tensor | None = None
        for layer, gates, hidden in zip(self._layers, self._gates, self._hidden, strict=True):
            if below is not None:
                gates.all.copy_(layer.bias)
                gates.from_input.addmm_(below, layer.from_input)
            gates.from_state.addmm_(hidden, layer.from_state)
            gates.sigmoids.sigmoid_()
            gates.new.addcmul_(gates.reset, gates.state_part).tanh_()
            below = torch.lerp(gates.new, hidden, gates.update, out=hidden)
        torch.addmm(self._proj_bias, self._hidden[-1], self._proj_weight, out=self._logits)
        return self._logits.float().cpu().numpy()
