"""`CharStepper`: inference of B tweets, one character at a time, without gradient and dropout.

`TextGenerator.forward` is the readable reference. For sequences of one character `nn.GRU` is slowest, as most of its
time goes into dispatch. Here the weights are laid out in advance (`InferenceWeights`), gates are computed in place, and
a single tweet runs in compiled code on a CPU (`engine.compute.cpu.single_row`) and as a CUDA graph on a GPU
(`CharGraph`), where launching some 15 kernels one by one takes longer than their work.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.compute.cuda_graphs import CudaRecorder, GraphedSteps
from engine.corpus.arrays import Ids
from engine.model.gru import TextGenerator
from engine.model.parameters import InferenceWeights
from engine.model.vocab import EMPTY_WINDOW, ID_BITS, LONGEST, NUM_IDS, ORDERS, UNK

if TYPE_CHECKING:  # it imports Numba, which sampling a few tweets does not need
    from engine.compute.cpu.single_row import SingleRowStepper


Floats: TypeAlias = npt.NDArray[np.float32]


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
    """The weights at its creation, and the state of B tweets. Not thread-safe."""

    def __init__(self, model: TextGenerator, *, may_compile: bool = True, held: HeldUnit | None = None) -> None:
        """Copy the weights; B is 1, in the initial state.

        `may_compile` allows compiled code, which takes half a second and 100 MB to load if training has not loaded it;
        `held` excludes it.
        """
        self.weights = InferenceWeights(model)
        self.state = initial_state(self.weights)
        """The hidden states (B, H) of all layers, then the window (B,) of token ids; updated in place."""
        self._held = held
        self._may_compile = may_compile and held is None and model.device.type == "cpu"
        self._graph = char_graph_of(model, self.weights) if model.device.type == "cuda" and held is None else None
        self._rows: SingleRowStepper | _BatchStepper | None = None
        """Buffers of these B rows, made by the first step that does not run as a graph, which has its own."""

    def select(self, rows: Ids) -> None:
        """Continue with these of the B rows, in this order; a row may be repeated."""
        if self._graph is not None:
            self._graph.return_state()
        indices = torch.from_numpy(rows).to(self.weights.table.device)
        self.state = [each[indices] for each in self.state]
        self._rows = None

    def step(self, token_ids: Ids) -> Floats:
        """Process a character of each row, (B,); return the log-probabilities (B, V) of the next one, in nats."""
        if self._graph is not None and len(token_ids) == 1:
            return self._graph.step_of(self, token_ids)
        if self._rows is None and self._may_compile and len(self.state[0]) == 1:
            from engine.compute.cpu.single_row import SingleRowStepper

            self._rows = SingleRowStepper(self.weights, self.state[:-1], self.state[-1])
        self._rows = self._rows or _BatchStepper(self.weights, self.state, self._held)
        return self._rows.step(token_ids)


def initial_state(weights: InferenceWeights) -> list[Tensor]:
    """Return the state at the start of one tweet, as of `CharStepper`."""
    hidden = [weights.table.new_zeros(1, weights.hidden_size) for _ in weights.layers]
    return [*hidden, torch.full((1,), EMPTY_WINDOW, device=weights.table.device)]


class NgramLookup:
    """The n-gram input of B tweets, one character at a time; `NgramInput.forward` is the readable reference.

    Owns the buffers of a step, and allocates no memory, so that a CUDA graph can record it.
    """

    def __init__(self, contexts: Tensor, table: Tensor, windows: Tensor, vocab_size: int) -> None:
        """Continue after `windows` (B,) of token ids, which are updated in place.

        `contexts` (R,) have the rows 1 to R of `table` (1 + R, H).
        """
        self._contexts, self._table, self._windows = contexts, table, windows
        ids = torch.arange(vocab_size, device=windows.device)
        self._ids = ids.masked_fill_(ids >= NUM_IDS, UNK)  # (V,): each character's in a window
        self._shifts = ID_BITS * (LONGEST - torch.tensor(ORDERS, device=windows.device)[:, None])  # (3, 1)
        self._last = torch.empty_like(windows)
        self._codes, self._rows, self._found = (windows.new_empty(len(ORDERS), len(windows)) for _ in range(3))
        self._is_found = torch.empty_like(self._codes, dtype=torch.bool)
        self._added = table.new_empty(len(windows), table.shape[1])  # (B, H)

    def add_to(self, candidate: Tensor, token_ids: Tensor) -> None:
        """Append a character, (B,), to each tweet, and add the rows of its contexts to `candidate` (B, H)."""
        torch.index_select(self._ids, 0, token_ids, out=self._last)
        self._windows.bitwise_left_shift_(ID_BITS).bitwise_or_(self._last)
        torch.bitwise_left_shift(self._windows, self._shifts, out=self._codes)
        torch.searchsorted(self._contexts, self._codes, out=self._rows)
        self._rows.clamp_(max=len(self._contexts) - 1)
        torch.index_select(self._contexts, 0, self._rows.view(-1), out=self._found.view(-1))
        torch.eq(self._found, self._codes, out=self._is_found)
        self._rows.add_(1).mul_(self._is_found)
        for rows in self._rows:
            candidate.add_(torch.index_select(self._table, 0, rows, out=self._added))


class _BatchStepper:
    """The state of B tweets and the buffers of a step, in PyTorch operations."""

    def __init__(self, weights: InferenceWeights, state: list[Tensor], held: HeldUnit | None) -> None:
        """Continue from `state`, as of `CharStepper`, which is updated in place."""
        *self._hidden, windows = state
        [num_rows, size], num_chars = state[0].shape, len(weights.table)
        self._ngrams = None if weights.ngrams is None else NgramLookup(*weights.ngrams, windows, num_chars)
        self._weights = weights
        self._held = held
        self._columns, self._logits = (state[0].new_empty(num_rows, width) for width in (4 * size, num_chars))
        self._log_probs = torch.empty_like(self._logits)
        self._products, self._sigmoids = self._columns[:, : 3 * size], self._columns[:, : 2 * size]
        self._reset, self._update, self._from_state, self._new = self._columns.split_with_sizes([size] * 4, dim=1)

    def step(self, token_ids: Ids) -> Floats:
        """Process a character of each row, (B,); return the log-probabilities (B, V) of the next one."""
        self._compute(torch.from_numpy(token_ids).to(self._columns.device))
        log_probs: Floats = self._log_probs.float().cpu().numpy().copy()
        return log_probs

    def _compute(self, token_ids: Tensor) -> None:
        """Process a character of each row, (B,) on the device. Allocates no memory and waits for nothing."""
        torch.index_select(self._weights.table, 0, token_ids, out=self._columns)
        if self._ngrams is not None:
            self._ngrams.add_to(self._new, token_ids)
        for number, (layer, hidden) in enumerate(zip(self._weights.layers, self._hidden, strict=True)):
            if number > 0:
                layer.write_input(self._hidden[number - 1], self._columns)
            self._products.addmm_(hidden, layer.weight_hh_t)
            self._sigmoids.sigmoid_()
            self._new.addcmul_(self._reset, self._from_state).tanh_()
            torch.lerp(self._new, hidden, self._update, out=hidden)
            if self._held is not None:
                self._held.apply(number, hidden)
        torch.addmm(self._weights.proj_bias, self._hidden[-1], self._weights.proj_weight_t, out=self._logits)
        torch.log_softmax(self._logits, dim=-1, out=self._log_probs)


class CharGraph(_BatchStepper):
    """The kernels of a character of one tweet on a GPU, recorded once and launched in one call.

    Recorded kernels use fixed addresses. So weights and state of the current tweet are copied to those of this object,
    and its state is copied back before another tweet.
    """

    def __init__(self, model: TextGenerator, recorder: CudaRecorder) -> None:
        """Compute tweets of models of the sizes of `model`, on its device."""
        weights = InferenceWeights(model)
        if weights.ngrams is not None:
            contexts, table = weights.ngrams
            weights.ngrams = contexts.clone(), table  # the contexts are the model's own
        self._state = initial_state(weights)
        super().__init__(weights, self._state, None)
        self._device = model.device
        self._on_host = torch.empty(self._log_probs.shape, pin_memory=self._device.type == "cuda")
        self.steps = GraphedSteps("characters of tweets", self._device, recorder)
        self._tweet: Callable[[], CharStepper | None] = lambda: None
        """A weak reference to the tweet that is copied here, if any."""

    def fits(self, weights: InferenceWeights) -> bool:
        """Return whether these are of a model of the same sizes."""
        return [each.shape for each in _used(weights)] == [each.shape for each in _used(self._weights)]

    def step_of(self, tweet: CharStepper, token_ids: Ids) -> Floats:
        """Process a character of a tweet, (1,); return the log-probabilities (1, V) of the next one."""
        if self._tweet() is not tweet:
            self.return_state()
            own = [*_used(self._weights), *self._state]
            for here, there in zip(own, [*_used(tweet.weights), *tweet.state], strict=True):
                here.copy_(there)
            self._tweet = weakref.ref(tweet)
        self.steps.run(self._compute_and_copy, torch.from_numpy(token_ids))
        if self._device.type == "cuda":
            torch.cuda.current_stream(self._device).synchronize()
        log_probs: Floats = self._on_host.numpy().copy()
        return log_probs

    def return_state(self) -> None:
        """Copy the state back to the tweet that it is of."""
        tweet, self._tweet = self._tweet(), lambda: None
        if tweet is not None:
            for here, there in zip(self._state, tweet.state, strict=True):
                there.copy_(here)

    def _compute_and_copy(self, token_ids: Tensor) -> None:
        """Process a character, (1,) on the device, and copy the result to the host without waiting for it."""
        self._compute(token_ids)
        self._on_host.copy_(self._log_probs, non_blocking=True)


def _used(weights: InferenceWeights) -> list[Tensor]:
    """Return all weights that a character's kernels read, in the same order for models of the same sizes."""
    used = [weights.table, weights.proj_weight_t, weights.proj_bias]
    for number, layer in enumerate(weights.layers):
        used += [layer.weight_hh_t, *([layer.weight_ih_t, layer.bias] if number else [])]
    return [*used, *(weights.ngrams or ())]


_GRAPHS: dict[torch.device, CharGraph] = {}
"""The graph in use on each device, numbered as a model's is."""


def char_graph_of(model: TextGenerator, weights: InferenceWeights) -> CharGraph:
    """Return the graph for tweets of a model on a GPU; one for other sizes is freed."""
    graph = _GRAPHS.get(model.device)
    if graph is None or not graph.fits(weights):
        discard_char_graph(model.device)
        graph = _GRAPHS[model.device] = CharGraph(model, CudaRecorder(model.device))
    return graph


def discard_char_graph(device: torch.device) -> None:
    """Free the graph of a device; a tweet in progress keeps its buffers, and records its kernels again."""
    graph = _GRAPHS.pop(device, None)
    if graph is not None:
        graph.steps.discard_all()
