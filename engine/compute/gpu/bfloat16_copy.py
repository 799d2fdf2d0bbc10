"""A bfloat16 copy of the model for a step's products and states; weights and updates stay in float32.

Autocast is no alternative: its cuDNN RNN runs in **float16**, whatever type was requested (`AutocastRNN.cpp` casts to
`kHalf`), and gradients of a mean over thousands of characters underflow float16. So the step uses a bfloat16 copy of
the model, refreshed from the float32 weights each time: a few megabytes at fixed addresses, as a CUDA graph needs
them. bfloat16 has the range of float32, so no loss scaling is needed.
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
    """Return whether cuDNN's GRU supports bfloat16 on this GPU; if not, torch runs a kernel per character.

    Since cuDNN 9.13 and torch 2.10 (pytorch/pytorch#164411), from compute capability 8.0 on.
    """
    if not torch.cuda.is_available():
        return False
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    has_cudnn = version >= _FIRST_TORCH and _cudnn_version() >= _FIRST_CUDNN
    return has_cudnn and torch.cuda.get_device_capability() >= (8, 0)


def _cudnn_version() -> int:
    """Return cuDNN's version; 0 without one, and where one of the machine's GPUs is too old for it."""
    try:
        return torch.backends.cudnn.version() or 0  # type: ignore[no-untyped-call] # torch leaves it untyped
    except RuntimeError:
        LOG.warning("cuDNN can't be used", exc_info=True)
        return 0


def bfloat16_copy(model: TextGenerator) -> TextGenerator:
    """Return a copy in bfloat16 and training mode; draws no random number."""
    bf16_model = copy.deepcopy(model).to(torch.bfloat16).train()
    for parameter in bf16_model.parameters():
        parameter.grad = None
    if model.device.type == "cuda" and cudnn_supports_bfloat16():
        try:
            _flatten(bf16_model.rnn)
        except (AttributeError, RuntimeError, TypeError):
            # a private function, which another torch may lack: then cuDNN copies the weights in every step
            LOG.warning("the bfloat16 weights can't be flattened for cuDNN", exc_info=True)
    return bf16_model


def _flatten(rnn: nn.GRU) -> None:
    """Flatten bfloat16 weights for cuDNN; torch 2.13's `flatten_parameters` supports only half, float and double."""
    weights: list[Tensor] = [weight for layer in rnn.all_weights for weight in layer]
    mode = torch.backends.cudnn.rnn.get_cudnn_mode("GRU")  # type: ignore[no-untyped-call] # torch leaves it untyped
    shape = rnn.input_size, mode, rnn.hidden_size, 0, rnn.num_layers, rnn.batch_first, rnn.bidirectional
    with torch.no_grad():
        torch._cudnn_rnn_flatten_weight(weights, 4, *shape)  # noqa: SLF001 - there is no public one


@torch.no_grad()
def refresh(bf16_model: TextGenerator, model: TextGenerator) -> None:
    """Copy the weights of `model`, rounded, into `bf16_model`."""
    for rounded, weight in zip(bf16_model.parameters(), model.parameters(), strict=True):
        rounded.copy_(weight)
