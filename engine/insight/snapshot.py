"""`Snapshot`: a frozen copy of a model, to be asked about; `ExplicitGru`: its GRU with the gates as results.

The GRU is computed by the formulas of PyTorch's `nn.GRU`, one character at a time; that returns only h':

    r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)          reset
    z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)          update
    n = tanh(W_in x + b_in + r * (W_hn h + b_hn))       candidate
    h' = (1 - z) * n + z * h                            hidden

In the first layer, an n-gram input (`engine.model.gru`) adds the rows of the last characters to W_in x. No gradient is
recorded here, so that a computation may pause between two characters without leaving torch in another mode.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor, nn

from engine.config.sampling import SamplingConfig
from engine.corpus.arrays import EncodedTweets
from engine.model.gru import NO_ROW, TextGenerator
from engine.model.vocab import ORDERS, Vocab


class LayerStep(NamedTuple):
    """The gates, the candidate and the next state of one layer at one input, (B, H) each."""

    reset: Tensor
    update: Tensor
    candidate: Tensor
    hidden: Tensor


class ExplicitLayer:
    """The weights of one layer, transposed."""

    def __init__(self, rnn: nn.GRU, number: int) -> None:
        """Copy the weights of layer `number`."""
        weight_ih, weight_hh, bias_ih, bias_hh = (weight.detach() for weight in rnn.all_weights[number])
        self.size = rnn.hidden_size
        self.weight_ih_t = weight_ih.t().contiguous()  # (E or H, 3H): r z n
        self.weight_hh_t = weight_hh.t().contiguous()  # (H, 3H)
        self.bias_ih, self.bias_hh = bias_ih.clone(), bias_hh.clone()  # (3H,)

    def project(self, inputs: Tensor) -> Tensor:
        """Return the input's part of r, z and n, (M, 3H), of inputs (M, E or H)."""
        return torch.addmm(self.bias_ih, inputs, self.weight_ih_t)

    def step(self, projected: Tensor, state: Tensor) -> LayerStep:
        """Process one input per row: `projected` (B, 3H), `state` (B, H)."""
        from_state = torch.addmm(self.bias_hh, state, self.weight_hh_t)  # (B, 3H)
        gates = 2 * self.size
        reset, update = (projected[:, :gates] + from_state[:, :gates]).sigmoid_().chunk(2, dim=1)
        candidate = torch.addcmul(projected[:, gates:], reset, from_state[:, gates:]).tanh_()
        return LayerStep(reset, update, candidate, torch.lerp(candidate, state, update))


class ExplicitGru:
    """A copy of the weights of a whole model. For any thread, one at a time."""

    def __init__(self, model: TextGenerator) -> None:
        self.layers = [ExplicitLayer(model.rnn, number) for number in range(model.rnn.num_layers)]
        self.hidden_size = model.rnn.hidden_size
        self.embedding = model.embed.weight.detach().clone()  # (V, E)
        self._proj_weight_t = model.proj.weight.detach().t().contiguous()  # (H, V)
        self._proj_bias = model.proj.bias.detach().clone()  # (V,)
        self._ngram_input = copy.deepcopy(model.ngram_input)

    @cached_property
    def table(self) -> Tensor:
        """The first layer's `project` of every token id, (V, 3H), without an n-gram input."""
        return self.layers[0].project(self.embedding)

    def initial_states(self, num_rows: int) -> list[Tensor]:
        """Return the states before the first input: zeros (B, H) per layer."""
        return [self.embedding.new_zeros(num_rows, self.hidden_size) for _ in self.layers]

    def step(self, projected: Tensor, states: list[Tensor]) -> list[Tensor]:
        """Return the next states of all layers, (B, H) each; `projected` (B, 3H) is the first layer's."""
        after = [self.layers[0].step(projected, states[0]).hidden]
        for layer, state in zip(self.layers[1:], states[1:], strict=True):
            after.append(layer.step(layer.project(after[-1]), state).hidden)
        return after

    def ngram_rows(self, inputs: Tensor) -> Tensor:
        """Return the rows of the n-gram input at each of the inputs (B, T) of whole texts, (3, B, T), in `ORDERS`."""
        if self._ngram_input is None:
            return inputs.new_full((len(ORDERS), *inputs.shape), NO_ROW)
        return self._ngram_input.rows_of(inputs)

    @torch.no_grad()
    def add_ngrams(self, projected: Tensor, rows: Tensor) -> Tensor:
        """Add these `ngram_rows`, (3, M), to the first layer's `project`, (M, 3H), and return it."""
        if self._ngram_input is not None:
            projected[:, 2 * self.hidden_size :] += self._ngram_input.sums(rows)
        return projected

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits (M, V) after states (M, H) of the last layer."""
        return torch.addmm(self._proj_bias, hidden, self._proj_weight_t)

    def gradient_of_nats(self, log_probs: Tensor, target: int) -> Tensor:
        """Return the gradient (H,) of the target's cost in nats by the last layer's state; `log_probs` (V,)."""
        by_logits = log_probs.exp()
        by_logits[target] -= 1
        return torch.mv(self._proj_weight_t, by_logits)


def frozen(model: TextGenerator) -> TextGenerator:
    """Return a copy on the CPU, in float32 and eval mode, whose weights record no gradient. Draws no random number."""
    return copy.deepcopy(model).to("cpu", torch.float32).eval().requires_grad_(requires_grad=False)


@dataclass(frozen=True)
class Snapshot:
    """A `frozen` model, and what is needed to answer questions about it. For any thread, one at a time."""

    model: TextGenerator
    vocab: Vocab
    held_out: Callable[[], EncodedTweets]
    """Called where its tweets are needed."""
    sampling: SamplingConfig
    """The sampling settings of own draws; their prime is not used."""
    step: int
    """The step of the weights."""

    @cached_property
    def gru(self) -> ExplicitGru:
        """The weights, transposed."""
        return ExplicitGru(self.model)
