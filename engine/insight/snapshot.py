"""`Snapshot`: a frozen copy of a model, to be asked about; `ExplicitGru`: its GRU with the gates as results.

The GRU is computed by the formulas of PyTorch's `nn.GRU`, one character at a time; that returns only h':

    r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)          reset
    z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)          update
    n = tanh(W_in x + b_in + r * (W_hn h + b_hn))       candidate
    h' = (1 - z) * n + z * h                            hidden

In the first layer, an n-gram input (`engine.model.gru`) adds the rows of the last characters to W_in x. The columns of
an input are `r z m n`, as in `InferenceWeights`, with m = W_hn h + b_hn. No gradient is recorded here, so that a
computation may pause between two characters without leaving torch in another mode.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from engine.config.sampling import SamplingConfig
from engine.corpus.arrays import EncodedTweets
from engine.model.gru import NO_ROW, TextGenerator
from engine.model.parameters import InferenceLayer, InferenceWeights
from engine.model.vocab import ORDERS, Vocab


class LayerStep(NamedTuple):
    """The gates, the candidate and the next state of one layer at one input, (B, H) each."""

    reset: Tensor
    update: Tensor
    candidate: Tensor
    hidden: Tensor


def layer_step(layer: InferenceLayer, columns: Tensor, state: Tensor) -> LayerStep:
    """Process one input per row: `columns` (B, 4H) as `ExplicitGru.project` returns them, `state` (B, H)."""
    gates, new = 2 * state.shape[1], 3 * state.shape[1]
    sums = torch.addmm(columns[:, :new], state, layer.weight_hh_t)  # (B, 3H): r z m
    reset, update = sums[:, :gates].sigmoid_().chunk(2, dim=1)
    candidate = torch.addcmul(columns[:, new:], reset, sums[:, gates:]).tanh_()
    return LayerStep(reset, update, candidate, torch.lerp(candidate, state, update))


class ExplicitGru:
    """The weights of a whole model that is frozen. For any thread, one at a time."""

    def __init__(self, model: TextGenerator) -> None:
        self._weights = InferenceWeights(model)
        self.layers, self.hidden_size = self._weights.layers, self._weights.hidden_size
        self.table = self._weights.table
        """The first layer's columns of every token id, (V, 4H), without an n-gram input."""
        self.embedding = model.embed.weight.detach().clone()  # (V, E)
        self._ngram_input = model.ngram_input

    def project(self, number: int, inputs: Tensor) -> Tensor:
        """Return the columns of a layer's inputs (M, E or H), biases included, (M, 4H)."""
        return self.layers[number].write_input(inputs, inputs.new_empty(len(inputs), 4 * self.hidden_size))

    def initial_states(self, num_rows: int) -> list[Tensor]:
        """Return the states before the first input: zeros (B, H) per layer."""
        return [self.embedding.new_zeros(num_rows, self.hidden_size) for _ in self.layers]

    def step(self, columns: Tensor, states: list[Tensor]) -> list[Tensor]:
        """Return the next states of all layers, (B, H) each; `columns` (B, 4H) are the first layer's."""
        after: list[Tensor] = []
        for number, (layer, state) in enumerate(zip(self.layers, states, strict=True)):
            columns = self.project(number, after[-1]) if number else columns
            after.append(layer_step(layer, columns, state).hidden)
        return after

    def ngram_rows(self, inputs: Tensor) -> Tensor:
        """Return the rows of the n-gram input at each of the inputs (B, T) of whole texts, (3, B, T), in `ORDERS`."""
        if self._ngram_input is None:
            return inputs.new_full((len(ORDERS), *inputs.shape), NO_ROW)
        return self._ngram_input.rows_of(inputs)

    @torch.no_grad()
    def add_ngrams(self, columns: Tensor, rows: Tensor) -> Tensor:
        """Add these `ngram_rows`, (3, M), to the first layer's columns, (M, 4H), and return them."""
        if self._ngram_input is not None:
            columns[:, 3 * self.hidden_size :] += self._ngram_input.sums(rows)
        return columns

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits (M, V) after states (M, H) of the last layer."""
        return torch.addmm(self._weights.proj_bias, hidden, self._weights.proj_weight_t)

    def gradient_of_nats(self, log_probs: Tensor, target: int) -> Tensor:
        """Return the gradient (H,) of the target's cost in nats by the last layer's state; `log_probs` (V,)."""
        by_logits = log_probs.exp()
        by_logits[target] -= 1
        return torch.mv(self._weights.proj_weight_t, by_logits)


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
