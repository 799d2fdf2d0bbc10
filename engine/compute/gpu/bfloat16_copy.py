"""A bfloat16 copy of the model for a step's products and states; weights and updates stay in float32.

Autocast is no alternative: its cuDNN RNN runs in **float16**, whatever type was requested (`AutocastRNN.cpp` casts to
`kHalf`), and gradients of a mean over thousands of characters underflow float16. So the step uses a bfloat16 copy of
the model, refreshed from the float32 weights each time: a few megabytes at fixed addresses, as a CUDA graph needs
them. bfloat16 has the range of float32, so no loss scaling is needed. The copy shares the table of an n-gram input with
the model, in float32: a step reads a few of its rows, and only their sums are rounded.
"""

from __future__ import annotations

import copy
import logging

import torch

from engine.model.gru import TextGenerator
from engine.model.parameters import FlatParameters

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


class Bfloat16Copy:
    """The copy of one model."""

    def __init__(self, model: TextGenerator, flat: FlatParameters) -> None:
        """Copy a model with these buffers, in training mode; draws no random number."""
        self._model = copy.deepcopy(model).to(torch.bfloat16).train()
        self._model.ngram_input = model.ngram_input
        self._source = flat.dense_weights
        self._rounded = flat.bind_copy(self._model)  # in the order that cuDNN's GRU needs, too

    def refreshed(self) -> TextGenerator:
        """Return the copy with the model's present weights, rounded."""
        self._rounded.copy_(self._source)
        return self._model
