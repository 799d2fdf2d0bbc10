"""Random batches and models for the tests of the CPU step, and Hypothesis strategies for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from hypothesis import strategies as st

from engine.corpus.arrays import Batch
from engine.model.gru import NO_ROW, TextGenerator
from engine.model.vocab import EMPTY_WINDOW, ORDERS, PAD, appended, context_code

HIDDEN_SIZES = (8, 18)
"""Up to the CPU's vector length, and above it with a remainder. Only two, as kernels are compiled for each and for each
type of numbers: where a test is of float64, only the second."""


def random_batch(lengths: list[int], vocab_size: int, seed: int = 0) -> Batch:
    """Return tweets of these lengths (each at least 1) of random token ids, and a last column of padding alone."""
    generator = np.random.default_rng(seed)
    is_real = np.arange(max(lengths) + 1) < np.array(lengths)[:, None]  # (B, T)
    inputs, targets = (np.where(is_real, generator.integers(1, vocab_size, is_real.shape), PAD) for _ in range(2))
    return Batch(inputs, targets, num_targets=sum(lengths))


def some_contexts(inputs: npt.NDArray[np.int64], every: int = 2) -> list[int]:
    """Return the codes, ascending, of every other context of inputs (B, T), and of some that are not there."""
    windows = np.full(len(inputs) + 1, EMPTY_WINDOW)
    codes = set[int]()
    for column in inputs.T:
        last = np.append(column, 77)
        windows = appended(windows, last)
        for order in ORDERS:
            codes |= set(context_code(windows, order)[last != PAD].tolist())
    return sorted(codes)[::every]


def set_contexts(model: TextGenerator, contexts: list[int]) -> None:
    """Set the contexts of a model's n-gram input, if it has one."""
    if model.ngram_input is not None:
        model.ngram_input.contexts.copy_(torch.tensor(contexts))
        model.ngram_input.weight.data[NO_ROW] = 0


@dataclass(frozen=True)
class Shape:
    """Sizes of one example, its batch and its model."""

    lengths: list[int]
    vocab_size: int
    embedding_size: int
    hidden_size: int
    num_layers: int
    seed: int
    is_tied: bool = False
    """Tied embeddings; `embedding_size` is ignored then."""
    has_table: bool = False
    """An n-gram input for every other context of the batch, and some that the batch lacks."""

    def batch(self) -> Batch:
        """Return a batch of this shape."""
        return random_batch(self.lengths, self.vocab_size, self.seed)

    def model(self, dropout: float = 0.0) -> TextGenerator:
        """Return a float64 model with weights large enough to saturate gates."""
        torch.manual_seed(self.seed)
        width = self.hidden_size if self.is_tied else self.embedding_size
        shape = self.vocab_size, width, self.hidden_size, self.num_layers
        contexts = some_contexts(self.batch().inputs) if self.has_table else []
        model = TextGenerator(*shape, dropout, tied_embeddings=self.is_tied, ngram_contexts=len(contexts)).double()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(0.0, 0.7)
        set_contexts(model, contexts)
        return model


SOME = Shape(
    lengths=[3, 9, 1, 9, 6], vocab_size=20, embedding_size=5, hidden_size=18, num_layers=2, seed=3, has_table=True
)


def shapes(hidden_sizes: tuple[int, ...] = HIDDEN_SIZES) -> st.SearchStrategy[Shape]:
    """Generate shapes with one to five tweets of one to nine characters."""
    return st.builds(
        Shape,
        lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5),
        vocab_size=st.integers(2, 30),
        embedding_size=st.integers(1, 6),
        hidden_size=st.sampled_from(hidden_sizes),
        num_layers=st.integers(1, 3),
        seed=st.integers(0, 2**31),
        is_tied=st.booleans(),
        has_table=st.booleans(),
    )
