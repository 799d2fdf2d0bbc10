"""`CharStepper`: inference of B tweets, one character at a time, without gradient and dropout.

`TextGenerator.forward` is the readable reference. For sequences of one character `nn.GRU` is slowest, as most of its
time goes into dispatch. Here the weights are laid out in advance (`engine.compute.cpu.inference_weights`), gates are
computed in place, and a single tweet on a CPU runs in compiled code (`engine.compute.cpu.single_row`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.compute.cpu.inference_weights import InferenceWeights
from engine.model.gru import TextGenerator
from engine.sampling.logits import Floats, Ids

if TYPE_CHECKING:  # it imports Numba, which sampling a few tweets does not need
    from engine.compute.cpu.single_row import SingleRowStepper


@dataclass(frozen=True)
class HeldUnit:
    """A hidden unit that is set to a value after every step."""

    layer: int
    unit: int
    value: float

    def apply(self, layer: int, hidden: Tensor) -> None:
        """Set the unit in `hidden` (B, H), the new state of `layer`, if it is in that layer."""
        if layer == self.layer:
            hidden[:, self.unit] = self.value


class CharStepper:
    """The weights at its creation, and the hidden state of B tweets. Not thread-safe."""

    def __init__(self, model: TextGenerator, *, may_compile: bool = True, held: HeldUnit | None = None) -> None:
        """Copy the weights; B is 1, in the initial state.

        `may_compile` allows compiled code, which takes half a second and 100 MB to load if training has not loaded it;
        `held` excludes it.
        """
        self._may_compile = may_compile and held is None
        self._held = held
        self._weights = InferenceWeights(model)
        first = self._weights.table.new_zeros(1, self._weights.hidden_size)
        self._rows = self._make_stepper([first.clone() for _ in self._weights.layers])

    def select(self, rows: Ids) -> None:
        """Continue with these of the B rows, in this order; a row may be repeated."""
        indices = torch.from_numpy(rows).to(self._weights.table.device)
        self._rows = self._make_stepper([state[indices] for state in self._rows.states])

    def _make_stepper(self, states: list[Tensor]) -> SingleRowStepper | _BatchStepper:
        """Return a stepper that continues from these states, (B, H) per layer."""
        if self._may_compile and len(states[0]) == 1 and states[0].device.type == "cpu":
            from engine.compute.cpu.single_row import SingleRowStepper

            return SingleRowStepper(self._weights, states)
        return _BatchStepper(self._weights, states, self._held)

    def step(self, token_ids: Ids) -> Floats:
        """Process a character of each row, (B,); return the log-probabilities (B, V) of the next one, in nats."""
        return self._rows.step(token_ids)


class _BatchStepper:
    """The hidden state of B tweets and the buffers of a step, in PyTorch operations."""

    def __init__(self, weights: InferenceWeights, states: list[Tensor], held: HeldUnit | None) -> None:
        """Start from these states, (B, H) per layer, which are updated in place."""
        self.states = states
        self._weights = weights
        self._held = held
        [num_rows, size], num_chars = states[0].shape, len(weights.table)
        self._columns, self._logits = (states[0].new_empty(num_rows, width) for width in (4 * size, num_chars))
        self._products, self._sigmoids = self._columns[:, : 3 * size], self._columns[:, : 2 * size]
        self._reset, self._update, self._from_state, self._new = self._columns.split_with_sizes([size] * 4, dim=1)

    def step(self, token_ids: Ids) -> Floats:
        """Process a character of each row, (B,); return the log-probabilities (B, V) of the next one."""
        token_ids_there = torch.from_numpy(token_ids).to(self._columns.device)
        torch.index_select(self._weights.table, 0, token_ids_there, out=self._columns)
        for number, (layer, state) in enumerate(zip(self._weights.layers, self.states, strict=True)):
            if number > 0:
                layer.write_input(self.states[number - 1], self._columns)
            self._products.addmm_(state, layer.weight_hh_t)
            self._sigmoids.sigmoid_()
            self._new.addcmul_(self._reset, self._from_state).tanh_()
            torch.lerp(self._new, state, self._update, out=state)
            if self._held is not None:
                self._held.apply(number, state)
        torch.addmm(self._weights.proj_bias, self.states[-1], self._weights.proj_weight_t, out=self._logits)
        log_probs: Floats = self._logits.log_softmax(dim=-1).float().cpu().numpy()
        return log_probs
