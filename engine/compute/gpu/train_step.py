"""`DeviceStep`: loss, gradients, clipping and update of a batch, all on the device and without a look at any value.

What it computes is what `TextGenerator.forward`, `F.cross_entropy`, `clip_grad_norm_` and AdamW compute on the same
tweets without padding. What it does for speed:

* time-major input, as cuDNN has it (batch-first is transposed there and back), and weights in one block: `nn.GRU` calls
  its `flatten_parameters` when it is moved to a GPU. Here it would be too late, for it moves them;
* products in TF32 where the GPU has it, or everything in bfloat16 (`bfloat16_copy`);
* the learning rate in a tensor, because a CUDA graph would hold on to a number;
* gradients are asked for, not accumulated, and nothing of autograd's graph outlives a step: its nodes remember the
  stream that they were made on, which has to be the one that records.

**Dropout and graphs.** A dropout of torch's draws from the default CUDA generator, which every graph knows: a replay
draws on where the last step stopped, as a step that is run as it is does. cuDNN's own dropout, between the layers of a
GRU of several, has a generator that neither graphs nor checkpoints know; such a step is never recorded.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
import torch.nn.functional as F  # noqa: N812 - what everyone calls it
from torch import Tensor

from engine.compute.gpu.bfloat16_copy import bfloat16_copy, refresh
from engine.compute.gpu.buckets import DeviceBatch
from engine.compute.gpu.cuda_graphs import BucketedSteps, CudaRecorder
from engine.compute.loss_buffer import LossBuffer
from engine.compute.optimizer_step import Optimizer, OptimizerStep
from engine.model.gru import TextGenerator
from engine.model.vocab import PAD


class DeviceStep:
    """The whole step of a model on its device. One thread at a time."""

    def __init__(
        self,
        model: TextGenerator,
        update: OptimizerStep,
        history: LossBuffer,
        *,
        precision: str,
        max_grad_norm: float,
        recorder: CudaRecorder | None,
    ) -> None:
        """Take a model that stays on its device, and its fused optimizer, whose learning rate becomes a tensor."""
        self._model = model
        self._low = bfloat16_copy(model) if precision == "bfloat16" else None
        self._update = update
        self._optimizer = optimizer = update.optimizer
        self._history = history
        self._max_grad_norm = max_grad_norm
        self._device = model.device
        self._learning_rate = torch.zeros((), device=self._device)
        for group in optimizer.param_groups:
            group["lr"] = self._learning_rate
        self._steps = BucketedSteps(self._device, recorder)
        self._part_size: int | None = None

    def take(self, batch: DeviceBatch, learning_rate: float) -> None:
        """Learn from a batch. A non-finite loss or gradient changes nothing. Returns before the device is done."""
        tokens = torch.from_numpy(batch.tokens)
        self._learning_rate.fill_(learning_rate)
        self._steps.run(self._step, tokens.pin_memory() if self._device.type == "cuda" else tokens)

    def discard_graphs(self) -> None:
        """Give the memory of all CUDA graphs back; the next steps are recorded anew."""
        self._steps.forget()

    def set_part_size(self, part_size: int | None) -> None:
        """Compute that many tweets at once at most from now on, and give back what was kept for more."""
        self._part_size = part_size
        self._model.zero_grad()
        self.discard_graphs()

    def _step(self, tokens: Tensor) -> None:
        """Do all of it, for `tokens` (T + 1, B) int32 on the device."""
        self._update.has_begun = False  # a recording that failed, before this, has changed nothing
        self._model.zero_grad()  # and may have left gradients that were never computed
        with _tensor_float_32(self._device):
            loss = self._set_grads(tokens)
        parameters = list(self._model.parameters())
        grad_norm = torch.nn.utils.clip_grad_norm_(parameters, self._max_grad_norm)
        with _capturable(self._optimizer, self._device):
            self._update.apply_unless(~(loss.isfinite() & grad_norm.isfinite()))
        self._history.write(loss, grad_norm)
        self._model.zero_grad()  # it would keep a graph's memory from the next graph

    def _set_grads(self, tokens: Tensor) -> Tensor:
        """Return the mean cross-entropy, () in nats, of all targets that are not padding; set each weight's `grad`."""
        network = self._model
        if self._low is not None:
            refresh(self._low, self._model)
            network = self._low
        if self._part_size is None or tokens.shape[1] <= self._part_size:
            return self._add_grads(mean_loss(network, tokens), network)
        num_targets = (tokens[1:] != PAD).sum()
        firsts = range(0, tokens.shape[1], self._part_size)
        parts = [tokens[:, first : first + self._part_size] for first in firsts]
        losses = [self._add_grads(mean_loss(network, part, num_targets), network) for part in parts]
        return torch.stack(losses).sum()

    def _add_grads(self, loss: Tensor, network: TextGenerator) -> Tensor:
        """Add the gradient of a loss to each weight's `grad`; return the loss."""
        grads = torch.autograd.grad(loss, list(network.parameters()))
        for parameter, grad in zip(self._model.parameters(), grads, strict=True):
            wide = grad.to(parameter.dtype)
            parameter.grad = wide if parameter.grad is None else parameter.grad.add_(wide)
        return loss.detach()


def mean_loss(network: TextGenerator, tokens: Tensor, num_targets: Tensor | None = None) -> Tensor:
    """Return the mean cross-entropy, () in nats, of all that follows in `tokens` (T + 1, B) and is not padding.

    Of a part of a batch, it is that part's share of the mean over the batch's `num_targets`.
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
    wide = logits if logits.dtype == torch.float64 else logits.float()
    if num_targets is None:
        return F.cross_entropy(wide.flatten(0, 1), targets.flatten(), ignore_index=PAD)
    return F.cross_entropy(wide.flatten(0, 1), targets.flatten(), ignore_index=PAD, reduction="sum") / num_targets


def recorder_for(model: TextGenerator) -> CudaRecorder | None:
    """Return what records the steps of a model, or None where they are to be run as they are."""
    is_unknown_dropout = model.rnn.num_layers > 1 and model.rnn.dropout > 0
    return None if model.device.type != "cuda" or is_unknown_dropout else CudaRecorder(model.device)


@contextlib.contextmanager
def _tensor_float_32(device: torch.device) -> Iterator[None]:
    """Let CUDA's float32 products take TF32's 10 bits of mantissa; cuDNN's GRU does so by torch's default."""
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
    """Say that the step may be recorded, while it is.

    A fused optimizer's state is on the device either way, and one that says so always warns in each step that is not.
    """
    is_recording = device.type == "cuda" and torch.cuda.is_current_stream_capturing()
    for group in optimizer.param_groups:
        group["capturable"] = is_recording
    yield
