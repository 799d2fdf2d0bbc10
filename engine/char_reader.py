"""`CharReader`: the model, laid out to read one character after another of B tweets. No gradient, no dropout.

`TextGenerator.forward` is the readable twin and expects the same. A sequence of one character is where `nn.GRU` is
slowest: most of its time goes into finding out what to do. Here that is settled beforehand:

* The first layer's input is one of V, so its product and all biases are a table, and reading a character is a look-up.
* What a step needs stands in columns `r z m n` (the gates as `engine.fast.gru_layer` derives them): the table's row,
  plus one product with the state, turns into gates where it lies.
* The weights are copied in the order in which the products take them fastest. So a reader knows the weights of the
  moment at which it was made; training that goes on later does not change what it reads.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from engine.gru import TextGenerator
from engine.next_char import Floats, Ids


class _Layer:
    """The weights of one GRU layer."""

    def __init__(self, rnn: nn.GRU, number: int) -> None:
        """Copy those of layer `number`."""
        bias_ih, bias_hh = getattr(rnn, f"bias_ih_l{number}"), getattr(rnn, f"bias_hh_l{number}")
        size = self._size = rnn.hidden_size
        weight_ih = getattr(rnn, f"weight_ih_l{number}").detach()
        # the first layer's is used but once, for the table
        self._from_input = _transposed(weight_ih) if number else weight_ih.t()  # (E or H, 3H): r z n
        self._bias = torch.cat([bias_ih[: 2 * size] + bias_hh[: 2 * size], bias_hh[2 * size :], bias_ih[2 * size :]])
        self.from_state = _transposed(getattr(rnn, f"weight_hh_l{number}"))  # (H, 3H): r z m

    def write_input(self, inputs: Tensor, columns: Tensor) -> Tensor:
        """Write what `inputs` (N, E or H) and the biases add up to into `columns` (N, 4H), and return these."""
        size = self._size
        columns.copy_(self._bias)
        columns[:, : 2 * size].addmm_(inputs, self._from_input[:, : 2 * size])
        columns[:, 3 * size :].addmm_(inputs, self._from_input[:, 2 * size :])
        return columns


def _transposed(weight: Tensor) -> Tensor:
    """Return a copy of `weight` that is transposed in memory."""
    return weight.detach().t().clone(memory_format=torch.contiguous_format)


class _Gates:
    """One layer's working memory for B rows, and the views of it that a step takes."""

    def __init__(self, state: Tensor) -> None:
        """Allocate it beside the layer's hidden state (B, H)."""
        num_rows, size = state.shape
        self.state = state
        self.columns = state.new_empty(num_rows, 4 * size)
        self.products, self._sigmoids = self.columns[:, : 3 * size], self.columns[:, : 2 * size]
        self._reset, self._update, self._from_state, self._new = self.columns.split_with_sizes([size] * 4, dim=1)

    def look_up(self, table: Tensor, token_ids: Ids) -> None:
        """Take the rows (B,) of the table (V, 4H) as columns."""
        torch.index_select(table, 0, torch.from_numpy(token_ids).to(table.device), out=self.columns)

    def close(self) -> None:
        """Turn the columns into gates, and the state into the next one."""
        self._sigmoids.sigmoid_()
        self._new.addcmul_(self._reset, self._from_state).tanh_()
        torch.lerp(self._new, self.state, self._update, out=self.state)


class _OneRowGates(_Gates):
    """The same for one tweet on the processor, through numpy: on so few numbers, a call costs more than its work."""

    def __init__(self, state: Tensor) -> None:
        """Look at the same memory as arrays."""
        super().__init__(state)
        self._state_array, self._array = state.numpy(), self.columns.numpy()
        self._sigmoid_array = self._array[:, : 2 * state.shape[1]]
        self._blocks = self._array.reshape(4, 1, -1)

    def look_up(self, table: Tensor, token_ids: Ids) -> None:
        np.take(table.numpy(), token_ids, axis=0, out=self._array, mode="clip")  # "raise" would copy `out`

    def close(self) -> None:
        state, sigmoids = self._state_array, self._sigmoid_array
        reset, update, from_state, new = self._blocks
        sigmoids *= 0.5  # sigmoid(x) = (1 + tanh(x / 2)) / 2, which can't overflow
        np.tanh(sigmoids, out=sigmoids)
        sigmoids += 1.0
        sigmoids *= 0.5
        from_state *= reset
        new += from_state
        np.tanh(new, out=new)
        state -= new
        state *= update
        state += new


class CharReader:
    """Weights, and the hidden state of B tweets that are read at once. Not thread-safe."""

    @torch.no_grad()
    def __init__(self, model: TextGenerator) -> None:
        """Copy the weights; B is 1, and nothing is read yet."""
        self._size = model.rnn.hidden_size
        self._layers = [_Layer(model.rnn, number) for number in range(model.rnn.num_layers)]
        num_chars, embedded = model.embed.num_embeddings, model.embed.weight.detach()
        self._table = self._layers[0].write_input(embedded, embedded.new_empty(num_chars, 4 * self._size))
        self._proj_weight = _transposed(model.proj.weight)  # (H, V)
        self._proj_bias = model.proj.bias.detach().clone()  # (V,)
        self._go_on_from([self._table.new_zeros(1, self._size) for _ in self._layers])

    def _go_on_from(self, states: list[Tensor]) -> None:
        """Take these hidden states, (B, H) a layer."""
        is_one_row = len(states[0]) == 1 and self._table.device.type == "cpu"
        self._gates = [_OneRowGates(state) if is_one_row else _Gates(state) for state in states]
        self._logits = self._table.new_empty(len(states[0]), len(self._table))

    def select(self, rows: Ids) -> None:
        """Go on with these of the B rows, in this order; a row may be taken more than once."""
        kept = torch.from_numpy(rows).to(self._table.device)
        self._go_on_from([gates.state[kept] for gates in self._gates])

    def read(self, token_ids: Ids) -> Floats:
        """Read a character of each row, (B,). Returns the log-probabilities (B, V) of the next, in nats."""
        self._gates[0].look_up(self._table, token_ids)
        below: _Gates | None = None
        for layer, gates in zip(self._layers, self._gates, strict=True):
            if below is not None:
                layer.write_input(below.state, gates.columns)
            gates.products.addmm_(gates.state, layer.from_state)
            gates.close()
            below = gates
        torch.addmm(self._proj_bias, self._gates[-1].state, self._proj_weight, out=self._logits)
        return self._logits.log_softmax(dim=-1).float().cpu().numpy()
