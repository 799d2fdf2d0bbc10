"""`DeviceStep`: loss, gradients, clipping and update of a batch on the device, without reading any value back.

It computes what `TextGenerator.forward`, `F.cross_entropy`, `clip_grad_norm_` and AdamW compute on the same tweets
without padding. For speed,

* the input is time-major, as in cuDNN, which would transpose a batch-first one; and `nn.GRU` has flattened its weights
  when it was moved to the GPU, and they stay as it has laid them out (`FlatParameters`), except with an n-gram input
  (`widened_weight`);
* products run in TF32 where available, or everything in bfloat16 (`bfloat16_copy`);
* gradients go to one buffer, so that clipping, update and the sum over ranks are one operation each;
* the learning rate is a tensor, because a CUDA graph would record a number as a constant;
* gradients are computed by `torch.autograd.grad`, and nothing of autograd's graph outlives a step: its nodes reference
  the stream that they were created on, which must be the recording one.

**Dropout and graphs.** torch's dropout draws from the default CUDA generator, which every graph registers: a replay
continues its sequence like an eager step. cuDNN's own dropout, between the layers of a stacked GRU, has a generator
that neither graphs nor checkpoints can access; such a step is never recorded.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor

from engine.compute.gpu.backlog import Backlog
from engine.compute.gpu.bfloat16_copy import Bfloat16Copy
from engine.compute.gpu.buckets import bucket_length, padded_rows
from engine.compute.gpu.cuda_graphs import BucketedSteps, RecordingMemoryError
from engine.compute.gpu.recorder import CudaRecorder
from engine.compute.gpu.resident_tweets import ResidentTweets, resident_tweets
from engine.compute.optimizer_step import OptimizerStep
from engine.corpus.encoded_tweets import CorpusBatch
from engine.model.gru import NO_ROW, TextGenerator, run_gru
from engine.model.parameters import FlatParameters
from engine.model.vocab import PAD


class DeviceStep:
    """The whole training step of a model on its device. Not thread-safe."""

    def __init__(
        self,
        model: TextGenerator,
        flat: FlatParameters,
        optimizer_step: OptimizerStep,
        *,
        precision: str,
        recorder: CudaRecorder | None,
        backlog: Backlog | None,
        sum_over_ranks: Callable[[], None] | None = None,
    ) -> None:
        """Use a model that stays on its device, and its buffers; with a `backlog`, wait for steps that are queued.

        With `sum_over_ranks`, gradient and update are recorded apart, and it is called between the two.
        """
        self._model = model
        self._flat = flat
        self._bf16 = Bfloat16Copy(model, flat) if precision == "bfloat16" else None
        self._optimizer_step = optimizer_step
        self._sum_over_ranks = sum_over_ranks
        self._device = model.device
        self._learning_rate = torch.zeros((), device=self._device)
        self._total_targets = torch.ones((), device=self._device)
        self._steps = BucketedSteps(self._device, recorder)
        self._updates = BucketedSteps(self._device, recorder)
        self._micro_batch_size: int | None = None
        self._tweets: ResidentTweets | None = None
        self._backlog = backlog

    def run(self, batch: CorpusBatch, batch_size: int, learning_rate: float) -> None:
        """Train on a batch, padded to `batch_size` tweets; returns before the device is done.

        A non-finite loss or gradient changes nothing. Raises `DeviceMemoryError` if the corpus does not fit.
        """
        self._use_tweets(resident_tweets(batch.tweets, self._device))
        self._learning_rate.fill_(learning_rate)
        self._total_targets.fill_(batch.total_targets)
        if batch.num_targets:
            rows = torch.from_numpy(padded_rows(batch.rows, batch_size))
            self._run_recorded(rows, bucket_length(batch.num_columns))
        else:
            self._flat.grads_and_loss.zero_()  # fewer tweets than ranks
        if self._sum_over_ranks is not None:
            self._sum_over_ranks()
            self._updates.run(self._update, torch.empty(0))
        if self._backlog is not None:
            self._backlog.add_step()

    def _use_tweets(self, tweets: ResidentTweets) -> None:
        """Gather batches from these tweets; graphs that gather from others are freed."""
        if tweets is not self._tweets:
            self.discard_graphs()
            self._tweets = tweets

    def _run_recorded(self, rows: Tensor, length: int) -> None:
        """Run the step, or with several ranks its part before the sum, recorded where possible."""
        step = self._step if self._sum_over_ranks is None else self._compute_gradients
        try:
            self._steps.run(lambda rows: step(self._gathered(rows, length)), rows, key=length)
        except RecordingMemoryError:
            self._optimizer_step.has_begun = False  # as the recording left it
            raise

    def _gathered(self, rows: Tensor, length: int) -> Tensor:
        """Return the token ids of the tweets at `rows`, (B,) on the device: (length + 1, B)."""
        if self._tweets is None:
            raise TypeError("there are no tweets")
        return self._tweets.gather(rows, length)

    def discard_graphs(self) -> None:
        """Free all CUDA graphs; later steps are recorded again."""
        self._steps.discard_all()
        self._updates.discard_all()

    def set_micro_batch_size(self, size: int | None) -> None:
        """Split batches into micro-batches of at most `size` tweets from now on (None: never), and free memory."""
        self._micro_batch_size = size
        self.discard_graphs()

    def _step(self, tokens: Tensor) -> None:
        """Run the whole step on `tokens` (T + 1, B) int32."""
        self._compute_gradients(tokens)
        self._update(tokens)

    def _update(self, _: Tensor) -> None:
        """Update the weights by the gradient."""
        self._optimizer_step.run(self._learning_rate)

    def _compute_gradients(self, tokens: Tensor) -> None:
        """Compute loss and gradient, of all targets but padding, in nats per target of the whole step."""
        self._optimizer_step.has_begun = False  # a failed recording before this has changed nothing
        network = self._model if self._bf16 is None else self._bf16.refreshed()
        size = self._micro_batch_size or tokens.shape[1]
        with tensor_float_32(self._device):
            for first in range(0, tokens.shape[1], size):
                part = tokens[:, first : first + size]
                loss = mean_loss(network, part, self._total_targets)
                self._add_grads(loss, network, is_first=first == 0)
                if network.ngram_input is not None and self._flat.table is not None:
                    rows = network.ngram_input.rows_of(part[:-1].t()).flatten()
                    self._flat.table.touched.index_fill_(0, rows, 1)
                    self._flat.table.touched[NO_ROW].zero_()

    def _add_grads(self, loss: Tensor, network: TextGenerator, *, is_first: bool) -> None:
        """Add a loss and its gradient to the flat buffer; the first replace what is there."""
        if is_first:
            self._flat.grads_and_loss.zero_()
        torch._foreach_add_(self._flat.views_of_grads, torch.autograd.grad(loss, list(network.parameters())))
        self._flat.loss.add_(loss.detach())


def mean_loss(network: TextGenerator, tokens: Tensor, total_targets: Tensor) -> Tensor:
    """Return the cross-entropy, () in nats, of the targets in `tokens` (T + 1, B) that are not padding.

    Divided by `total_targets`, () on the device: the targets of the whole step, of which this may be a part.
    """
    rnn, chars, targets = network.rnn, tokens[:-1], tokens[1:].long()  # (T, B)
    inputs = network.embed(chars)  # (T, B, E)
    initial = inputs.new_zeros(rnn.num_layers, tokens.shape[1], rnn.hidden_size)
    if network.ngram_input is not None:
        candidate = network.ngram_input(chars.t()).transpose(0, 1).to(inputs.dtype)  # (T, B, H)
        inputs = torch.cat([inputs, candidate], dim=-1)  # (T, B, E + H)
    output, _ = run_gru(rnn, inputs, initial, batch_first=False)  # (T, B, H)
    logits = network.proj(network.dropout(output))  # (T, B, V)
    logits = logits if logits.dtype == torch.float64 else logits.float()
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=PAD, reduction="sum") / total_targets


def recorder_for(model: TextGenerator) -> CudaRecorder | None:
    """Return a recorder for the steps of a model, or None if they must run eagerly."""
    has_cudnn_dropout = model.rnn.num_layers > 1 and model.rnn.dropout > 0
    return None if model.device.type != "cuda" or has_cudnn_dropout else CudaRecorder(model.device)


@contextlib.contextmanager
def tensor_float_32(device: torch.device) -> Iterator[None]:
    """Use TF32, with 10 bits of mantissa, in CUDA's float32 products; cuDNN's GRU does so by torch's default."""
    if device.type != "cuda":
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
