"""What the tests on a GPU share."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import torch

from engine.compute.device import Runtime
from tests.engine.helpers import CPU

DEVICE = torch.device("cuda")


def on_cuda(precision: str = "float32") -> Runtime:
    """Return the runtime of a GPU."""
    return replace(CPU, device=DEVICE, precision=precision)


def in_new_process(function: Callable[..., None], *args: object) -> None:
    """Call a function of a module in a new process, in which CUDA has not started; raise what it raises."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(function, *args).result(timeout=240)
