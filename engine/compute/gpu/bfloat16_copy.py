"""bfloat16 on a device: products and states in half the memory traffic, weights and updates in float32.

Not by autocast. Its cuDNN RNN runs in **float16**, whatever type was asked for (`AutocastRNN.cpp` casts to `kHalf`),
and gradients of a mean over thousands of characters are below what float16 can hold. So the step works on a bfloat16
copy of the model, written anew from the float32 weights each time: a few megabytes, in fixed places, as a CUDA graph
needs them. bfloat16 has float32's range; no loss has to be scaled.
"""

from __future__ import annotations

import copy
import logging

import torch
from torch import Tensor, nn

from engine.model.gru import TextGenerator

LOG = logging.getLogger(__name__)
_FIRST_TORCH = (2, 10)
_FIRST_CUDNN = 91300


def cudnn_supports_bfloat16() -> bool:
    """Whether cuDNN's GRU takes bfloat16 on this GPU; without that, a kernel per character takes its place.

    Since cuDNN 9.13 and torch 2.10 (pytorch/pytorch#164411), from compute capability 8.0 on.
    """
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    cudnn_version = torch.backends.cudnn.version() or 0  # type: ignore[no-untyped-call] # torch leaves it untyped
    has_cudnn = version >= _FIRST_TORCH and cudnn_version >= _FIRST_CUDNN
    return torch.cuda.is_available() and has_cudnn and torch.cuda.get_device_capability() >= (8, 0)


def bfloat16_copy(model: TextGenerator) -> TextGenerator:
    """Return a copy in bfloat16, in training mode; draws no random number."""
    low = copy.deepcopy(model).to(torch.bfloat16).train()
    for parameter in low.parameters():
        parameter.grad = None
    if model.device.type == "cuda" and cudnn_supports_bfloat16():
        try:
            _flatten(low.rnn)
        except (AttributeError, RuntimeError, TypeError):
            # in another torch the door may be elsewhere: then cuDNN lays the weights out itself, in every step
            LOG.warning("the weights in bfloat16 can't be laid out for cuDNN", exc_info=True)
    return low


def _flatten(rnn: nn.GRU) -> None:
    """Do what `flatten_parameters` does not do for bfloat16 (torch 2.13: its check knows half, float and double)."""
    weights: list[Tensor] = [weight for layer in rnn.all_weights for weight in layer]
    mode = torch.backends.cudnn.rnn.get_cudnn_mode("GRU")  # type: ignore[no-untyped-call] # torch leaves it untyped
    shape = rnn.input_size, mode, rnn.hidden_size, 0, rnn.num_layers, rnn.batch_first, rnn.bidirectional
    with torch.no_grad():
        torch._cudnn_rnn_flatten_weight(weights, 4, *shape)  # noqa: SLF001 - the only door


@torch.no_grad()
def refresh(low: TextGenerator, model: TextGenerator) -> None:
    """Round the weights of `model` into the copy."""
    for rounded, weight in zip(low.parameters(), model.parameters(), strict=True):
        rounded.copy_(weight)
