"""`supported_precision`: tries the sizes of a model in bfloat16 before a run depends on it.

cuDNN chooses an algorithm by the sizes of GRU and batch, and not all of them have bfloat16 (pytorch/pytorch#54307 is
open for half precision); what is missing is an error of the first step. Versions alone do not show it.
"""

from __future__ import annotations

import copy
import logging

import torch

from engine.compute.gpu.train_step import mean_loss
from engine.memory import free_memory, is_out_of_memory
from engine.model.gru import TextGenerator
from engine.model.vocab import EOS

LOG = logging.getLogger(__name__)
LENGTHS = (8, 144)
"""Characters per tweet; torch also chooses cuDNN's algorithm by them."""


def supported_precision(model: TextGenerator, batch_size: int, precision: str) -> str:
    """Return `precision`, or "float32" if a step of this model on its device fails in bfloat16.

    Draws no random number. A step that does not fit the memory shows nothing: bfloat16 needs less of it than float32.
    """
    if precision != "bfloat16" or model.device.type == "cpu":
        return precision
    is_supported = True
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        try:
            for length in LENGTHS:
                _compute_gradient(model, batch_size, length)
        except RuntimeError as error:
            is_supported = is_out_of_memory(error)
            LOG.warning("the model can't be trained in bfloat16", exc_info=True)
    free_memory(model.device)
    return precision if is_supported else "float32"


def _compute_gradient(model: TextGenerator, batch_size: int, length: int) -> None:
    """Compute the gradient of a batch in bfloat16."""
    network = copy.deepcopy(model).to(torch.bfloat16).train()
    tokens = torch.full((length + 1, batch_size), EOS, dtype=torch.int32, device=model.device)
    torch.autograd.grad(mean_loss(network, tokens, torch.ones((), device=model.device)), list(network.parameters()))
