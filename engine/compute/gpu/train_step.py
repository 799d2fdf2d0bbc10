"""`DeviceStep`: loss, gradients, clipping and update of a batch on the device, without reading any value back.

It computes what `TextGenerator.forward`, `F.cross_entropy`, `clip_grad_norm_` and AdamW compute on the same tweets
without padding. For speed,

* the input is time-major, as in cuDNN, which would transpose a batch-first one; and `nn.GRU` has flattened its weights
  when it was moved to the GPU, since flattening later would move them;
* products run in TF32 where available, or everything in bfloat16 (`bfloat16_copy`);
* the learning rate is a tensor, because a CUDA graph would record a number as a constant;
* gradients are computed by `torch.autograd.grad`, and nothing of autograd's graph outlives a step: its nodes reference
  the stream that they were created on, which must be the recording one.

**Dropout and graphs.** torch's dropout draws from the default CUDA generator, which every graph registers: a replay
continues its sequence like an eager step. cuDNN's own dropout, between the layers of a stacked GRU, has a generator
that neither graphs nor checkpoints can access; such a step is never recorded.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor

from engine.compute.gpu.bfloat16_copy import bfloat16_copy, refresh
from engine.compute.gpu.buckets import DeviceBatch
from engine.compute.gpu.cuda_graphs import BucketedSteps, CudaRecorder, RecordingMemoryError
from engine.compute.loss_buffer import LossBuffer
from engine.compute.optimizer_step import Optimizer, OptimizerStep
from engine.model.gru import TextGenerator
from engine.model.vocab import PAD


class DeviceStep:
    """The whole training step of a model on its device. Not thread-safe."""

    def __init__(
        self,
        model: TextGenerator,
        optimizer_step: OptimizerStep,
        history: LossBuffer,
        *,
        precision: str,
        max_grad_norm: float,
        recorder: CudaRecorder | None,
    ) -> None:
        """Use a model that stays on its device, and its fused optimizer, whose learning rate becomes a tensor."""
        self._model = model
        self._bf16_model = bfloat16_copy(model) if precision == "bfloat16" else None
        self._optimizer_step = optimizer_step
        self._optimizer = optimizer = optimizer_step.optimizer
        self._history = history
        self._max_grad_norm = max_grad_norm
        self._device = model.device
        self._learning_rate = torch.zeros((), device=self._device)
        for group in optimizer.param_groups:
            group["lr"] = self._learning_rate
        self._steps = BucketedSteps(self._device, recorder)
        self._micro_batch_size: int | None = None

    def run(self, batch: DeviceBatch, learning_rate: float) -> None:
        """Train on a batch; returns before the device is done. A non-finite loss or gradient changes nothing."""
        tokens = torch.from_numpy(batch.tokens)
        self._learning_rate.fill_(learning_rate)
        try:
            self._steps.run(self._step, tokens.pin_memory() if self._device.type == "cuda" else tokens)
        except RecordingMemoryError:
            self._optimizer_step.has_begun = False  # as the recording left it
            raise

    def discard_graphs(self) -> None:
        """Free all CUDA graphs; later steps are recorded again."""
        self._steps.discard_all()

    def set_micro_batch_size(self, size: int | None) -> None:
        """Split batches into micro-batches of at most `size` tweets from now on (None: never), and free memory."""
        self._micro_batch_size = size
        self._model.zero_grad()
        self.discard_graphs()

    def _step(self, tokens: Tensor) -> None:
        """Run the whole step on `tokens` (T + 1, B) int32 on the device."""
        self._optimizer_step.has_begun = False  # a failed recording before this has changed nothing
        self._model.zero_grad()  # but may have left gradients that were never computed
        with _tensor_float_32(self._device):
            loss = self._set_grads(tokens)
        parameters = list(self._model.parameters())
        grad_norm = torch.nn.utils.clip_grad_norm_(parameters, self._max_grad_norm)
        with _capturable(self._optimizer, self._device):
            self._optimizer_step.apply_unless(~(loss.isfinite() & grad_norm.isfinite()))
        self._history.write(loss, grad_norm)
        self._model.zero_grad()  # it would keep a graph's memory from the next graph

    def _set_grads(self, tokens: Tensor) -> Tensor:
        """Return the mean cross-entropy, () in nats, over all targets but padding; set each weight's `grad`."""
        network = self._model
        if self._bf16_model is not None:
            refresh(self._bf16_model, self._model)
            network = self._bf16_model
        if self._micro_batch_size is None or tokens.shape[1] <= self._micro_batch_size:
            return self._add_grads(mean_loss(network, tokens), network)
        num_targets = (tokens[1:] != PAD).sum()
        firsts = range(0, tokens.shape[1], self._micro_batch_size)
        micro_batches = [tokens[:, first : first + self._micro_batch_size] for first in firsts]
        losses = [self._add_grads(mean_loss(network, each, num_targets), network) for each in micro_batches]
        return torch.stack(losses).sum()

    def _add_grads(self, loss: Tensor, network: TextGenerator) -> Tensor:
        """Add the gradient of a loss to each weight's `grad`; return the detached loss."""
        grads = torch.autograd.grad(loss, list(network.parameters()))
        for parameter, grad in zip(self._model.parameters(), grads, strict=True):
            float32_grad = grad.to(parameter.dtype)
            parameter.grad = float32_grad if parameter.grad is None else parameter.grad.add_(float32_grad)
        return loss.detach()


def mean_loss(network: TextGenerator, tokens: Tensor, num_targets: Tensor | None = None) -> Tensor:
    """Return the mean cross-entropy, () in nats, over the targets in `tokens` (T + 1, B) that are not padding.

    For a micro-batch, `num_targets` is the whole batch's; the result is then the micro-batch's share of its mean.
    """
    rnn, inputs, targets = network.rnn, tokens[:-1], tokens[1:].long()  # (T, B)
    weights: list[Tensor] = [weight for layer in rnn.all_weights for weight in layer]
    embedded = network.embed(inputs)  # (T, B, E)
    initial = embedded.new_zeros(rnn.num_layers, tokens.shape[1], rnn.hidden_size)
    in_training, both_ways, batch_first = network.training, False, False
    output, _ = torch.gru(
        embedded, initial, weights, rnn.bias, rnn.num_layers, rnn.dropout, in_training, both_ways, batch_first
    )  # (T, B, H)
    logits = network.proj(network.dropout(output))  # (T, B, V)
    flat = (logits if logits.dtype == torch.float64 else logits.float()).flatten(0, 1)  # (T * B, V)
    if num_targets is None:
        return F.cross_entropy(flat, targets.flatten(), ignore_index=PAD)
    return F.cross_entropy(flat, targets.flatten(), ignore_index=PAD, reduction="sum") / num_targets


def recorder_for(model: TextGenerator) -> CudaRecorder | None:
    """Return a recorder for the steps of a model, or None if they must run eagerly."""
    has_cudnn_dropout = model.rnn.num_layers > 1 and model.rnn.dropout > 0
    return None if model.device.type != "cuda" or has_cudnn_dropout else CudaRecorder(model.device)


@contextlib.contextmanager
def _tensor_float_32(device: torch.device) -> Iterator[None]:
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


@contextlib.contextmanager
def _capturable(optimizer: Optimizer, device: torch.device) -> Iterator[None]:
    """Mark the optimizer as capturable while the step is being recorded.

    A fused optimizer's state is on the device either way, and a capturable one warns in every step that runs eagerly.
    """
    is_recording = device.type == "cuda" and torch.cuda.is_current_stream_capturing()
    for group in optimizer.param_groups:
        group["capturable"] = is_recording
    yield
