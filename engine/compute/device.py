"""What a run is computed on and with: device, precision and threads in one value; and the generators."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.compute.gpu.bfloat16_copy import cudnn_supports_bfloat16
from engine.config.run import RuntimeConfig, Tuning
from engine.errors import DeviceError

MAX_AUTO_THREADS = 4
"""A step of this size of model gains nothing from more."""
_NUM_WORDS = 624
"""Of the state of a Mersenne Twister."""


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """A device that is there, a precision that it has, a number of threads."""

    device: torch.device
    precision: str
    num_threads: int
    tuning: Tuning = "fixed"
    """How precision and threads were chosen."""

    @classmethod
    def resolve(cls, config: RuntimeConfig) -> Runtime:
        """Return what `config` comes to on this machine. Raises `DeviceError` for what it lacks."""
        if config.threads > available_cores():
            raise DeviceError(
                f"There are {available_cores()} processor cores for this program; {config.threads} threads would wait "
                "for each other.",
                "Leave --threads out, to have it measured, or take fewer.",
            )
        device = torch.device(_resolve_device(config.device))
        if config.precision == "bfloat16" and device.type == "cuda" and not has_bfloat16(device):
            raise DeviceError("This GPU has no bfloat16.", "Leave --precision out, or set it to float32.")
        precision = _auto_precision(device) if config.precision == "auto" else config.precision
        return cls(device=device, precision=precision, num_threads=config.threads or auto_threads())

    def apply(self) -> None:
        """Make torch use this number of threads, in this process."""
        torch.set_num_threads(self.num_threads)

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Return a context in which products are computed in this precision; the weights stay float32."""
        if self.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)


def available_cores() -> int:
    """Return the processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 itself, without emulation; MPS is taken to."""
    if device.type == "cpu":
        return cpu_has_bfloat16()
    return device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)


def cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 matrices itself, as far as this version of torch tells."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return any("bf16" in name and is_there is True for name, is_there in capabilities.items())


def auto_threads() -> int:
    """Return all cores but the one that draws the screen, at most `MAX_AUTO_THREADS`: where nothing is measured.

    A team of threads that waits for a core that another process has can be ten times slower than one thread alone.
    While training, `engine.session.thread_tuning` measures it.
    """
    return max(1, min(MAX_AUTO_THREADS, available_cores() - 1))


def _auto_precision(device: torch.device) -> str:
    """Return the precision to train in before anything is measured; a GPU's float32 products are TF32 where it can."""
    return "bfloat16" if device.type == "cuda" and cudnn_supports_bfloat16() else "float32"


def _resolve_device(wanted: str) -> str:
    """Return the name of a device that is there."""
    is_there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(name for name, there in is_there.items() if there)
    if not is_there[wanted]:
        raise DeviceError(
            f"This machine has no {wanted} device that torch can use.", "Leave --device out, or set it to cpu."
        )
    return wanted


def seed_generators(seed: int) -> None:
    """Seed torch's global generators, which draw initial weights and dropout."""
    torch.manual_seed(seed)


def generator_states(device: torch.device) -> dict[str, Tensor]:
    """Return the states of torch's global generators, by device type."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def restore_generator_states(states: dict[str, Tensor], device: torch.device) -> None:
    """Put torch's global generators back into `states`; those of a device that is not in use are left out."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])


def is_generator_state(state: Tensor) -> bool:
    """Return whether torch's generator on the processor can be put into a state, (5056,), and draw from it.

    Torch itself does not see that a state's place in its 624 numbers and how many are left of them do not agree; it
    would read beyond them.
    """
    if state.dtype != torch.uint8 or state.shape != torch.get_rng_state().shape:
        return False
    try:
        torch.Generator().set_state(state)
    except (RuntimeError, TypeError):
        return False
    left, _, place = struct.unpack_from("<iiQ", state.numpy().tobytes(), 8)
    return int(left) + int(place) <= _NUM_WORDS + 1


@contextlib.contextmanager
def generators_restored_on_error(device: torch.device) -> Iterator[None]:
    """Put torch's global generators back to where they are where something is raised in the block."""
    states = generator_states(device)
    try:
        yield
    except BaseException:  # raised on; whatever it was, the next try draws the same
        restore_generator_states(states, device)
        raise


def derived_seed(seed: int, *where: int) -> int:
    """Return a seed for one purpose at one place of a run, so that no draw depends on the draws before it."""
    return int(np.random.SeedSequence([seed, *where]).generate_state(1, np.uint64)[0] >> np.uint64(1))
