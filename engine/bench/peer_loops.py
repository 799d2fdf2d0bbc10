"""Two faster ways to train with `nn.GRU` than the tutorial's: time-major input, and packed sequences.

Both are as fast as possible without custom kernels: fused Adam, and no loss read in a step. The remaining difference to
this program is the GRU itself.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from engine.bench.tutorial_loop import LEARNING_RATE, TutorialGenerator
from engine.corpus.encoded_tweets import Batch
from engine.model.vocab import PAD


class _Loss(Protocol):
    """A loss function of a model on a batch."""

    def __call__(self, model: TutorialGenerator, batch: Batch) -> Tensor:
        """Return the mean cross-entropy of all targets that are not padding, () in nats."""
        ...


class PeerLoop:
    """A training loop with autograd."""

    def __init__(self, model: TutorialGenerator, loss_of: _Loss) -> None:
        """Use the model on its device; its GRU becomes time-major, with the same weights."""
        model.rnn.batch_first = False
        self._model = model
        self._loss_of = loss_of
        self._optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)

    def step(self, batch: Batch) -> Tensor:
        """Train on one batch; return its loss, () in nats per character."""
        loss = self._loss_of(self._model, batch)
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self._optimizer.step()
        return loss.detach()


def time_major_loss(model: TutorialGenerator, batch: Batch) -> Tensor:
    """Return the loss of padded, time-major tweets."""
    device = model.proj.weight.device
    inputs = torch.from_numpy(batch.inputs.T.copy()).to(device)  # (T, B)
    targets = torch.from_numpy(batch.targets.T.copy()).to(device)  # (T, B)
    logits, _ = model(inputs)  # (T, B, V)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=PAD)


def packed_loss(model: TutorialGenerator, batch: Batch) -> Tensor:
    """Return the loss of packed tweets; the GRU and the projection process no padding."""
    device = model.proj.weight.device
    lengths = torch.from_numpy(np.count_nonzero(batch.targets, axis=1))  # (B,); PAD is 0
    order = lengths.argsort(descending=True)
    both = torch.from_numpy(np.stack([batch.inputs, batch.targets], axis=-1))[order]  # (B, T, 2)
    ids = pack_padded_sequence(both, lengths[order], batch_first=True)
    pairs = ids.data.to(device)  # (N, 2)
    embedded = nn.utils.rnn.PackedSequence(model.embed(pairs[:, 0]), ids.batch_sizes)  # (N, E)
    output, _ = model.rnn(embedded)
    return F.cross_entropy(model.proj(output.data), pairs[:, 1])
