"""The matrix products of a training step alone: an upper limit for the speed of any implementation.

They are the fewest that a GRU needs: the input as a lookup in a table of V rows, one product per step forward and one
backward, one for each weight's gradient, none for padding. They have the shapes of the actual batch, because a CPU is
much slower with 32 rows than with 2,000.

On a GPU they are recorded as a CUDA graph, in the precision of the run: launched one by one, hundreds of small products
take longer than a whole recorded step. Like a step, they have the few shapes of buckets, padding included.
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from engine.compute.gpu.buckets import bucket_length
from engine.compute.gpu.cuda_graphs import BucketedSteps
from engine.compute.gpu.recorder import CudaRecorder
from engine.compute.gpu.train_step import tensor_float_32
from engine.corpus.encoded_tweets import CorpusBatch


class MatrixProducts:
    """The products of a model with one layer. Inputs are never overwritten, so that nothing can overflow or vanish."""

    def __init__(
        self,
        vocab_size: int,
        embedding_size: int,
        hidden_size: int,
        device: torch.device,
        *,
        dtype: torch.dtype = torch.float32,
        recorder: CudaRecorder | None = None,
    ) -> None:
        """Allocate matrices of the shapes of the weights; with a `recorder`, record the products."""
        self._device = device
        self._dtype = dtype
        self._steps = None if recorder is None else BucketedSteps(device, recorder)
        self._embed = self._random(vocab_size, embedding_size)
        self._input = self._random(3 * hidden_size, embedding_size)
        self._recurrent = self._random(3 * hidden_size, hidden_size)
        self._proj = self._random(vocab_size, hidden_size)
        self._table = self._random(vocab_size, 3 * hidden_size)
        self._allocate(1)

    def _random(self, *shape: int) -> Tensor:
        return torch.randn(*shape, device=self._device, dtype=self._dtype)

    def _allocate(self, num_rows: int) -> None:
        """Allocate inputs and outputs for the products of `num_rows` characters."""
        sizes = {"gates": self._input.shape[0], "states": self._proj.shape[1], "logits": self._proj.shape[0]}
        self._inputs = {name: self._random(num_rows, size) for name, size in sizes.items()}
        self._outputs = {name: torch.zeros_like(tensor) for name, tensor in self._inputs.items()}

    @torch.no_grad()
    def step(self, batch: CorpusBatch) -> None:
        """Compute the products of one training step on `batch`."""
        if self._steps is None:
            self._reserve(batch.num_targets)
            counts = np.count_nonzero(batch.targets, axis=0).tolist()  # (T,): tweets that have not ended; PAD is 0
            self._multiply_all(counts)
            return
        length = bucket_length(batch.num_columns)
        self._reserve(length * batch.num_tweets)
        counts = [batch.num_tweets] * length
        self._steps.run(lambda _: self._multiply_all(counts), torch.from_numpy(batch.rows), key=length)

    def _reserve(self, num_rows: int) -> None:
        """Allocate for `num_rows` characters, unless there is enough; what is recorded uses the old memory."""
        if len(self._inputs["gates"]) < num_rows:
            if self._steps is not None:
                self._steps.discard_all()
            self._allocate(2 * num_rows)

    @torch.no_grad()
    def _multiply_all(self, counts: list[int]) -> None:
        """Compute the products of steps with so many rows each."""
        steps = [slice(end - count, end) for count, end in zip(counts, accumulate(counts), strict=True)]
        all_rows = slice(0, sum(counts))
        with tensor_float_32(self._device):
            torch.mm(self._embed, self._input.T)  # (V, 3H)
            for rows in steps:
                self._multiply("states", self._recurrent.T, "gates", rows)  # (rows, H) to (rows, 3H)
            self._multiply("states", self._proj.T, "logits", all_rows)  # (N, H) to (N, V)
            self._multiply("logits", self._proj, "states", all_rows)  # (N, V) to (N, H)
            for rows in reversed(steps):
                self._multiply("gates", self._recurrent, "states", rows)  # (rows, 3H) to (rows, H)
            self._gradient("logits", all_rows)  # (V, H)
            self._gradient("gates", all_rows)  # (3H, H)
            torch.mm(self._table.T, self._embed)  # (3H, E)
            torch.mm(self._table, self._input)  # (V, E)

    def _multiply(self, source: str, weight: Tensor, target: str, rows: slice) -> None:
        """Multiply the rows of one input by a weight."""
        torch.mm(self._inputs[source][rows], weight, out=self._outputs[target][rows])

    def _gradient(self, source: str, rows: slice) -> None:
        """Compute the product for the gradient of the weight between the states and `source`."""
        torch.mm(self._inputs[source][rows].T, self._inputs["states"][rows])
