"""`Runtime`, where a run computes; the states of torch's random generators; and `Draw`, what a seed is derived for."""

from __future__ import annotations

import contextlib
import logging
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, unique

import numpy as np
import torch
from torch import Tensor

from engine.config.run import Computation, RuntimeConfig, Tuning
from engine.errors import DeviceError

LOG = logging.getLogger(__name__)
MAX_AUTO_THREADS = 4
"""Upper bound where the number of threads is not measured. Lower than `tuning.MAX_THREADS`, because without a
measurement nothing detects threads that wait for a busy core."""
_CUBLAS_WORKSPACE, _DETERMINISTIC_WORKSPACES = "CUBLAS_WORKSPACE_CONFIG", (":4096:8", ":16:8")
"""The results of cuBLAS, and of cuDNN's recurrent layers, depend on the size of a workspace, which they read when they
start. torch's deterministic mode accepts two sizes only."""


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """An available device, a precision that it supports, and a number of CPU threads."""

    device: torch.device
    precision: str
    num_threads: int
    tuning: Tuning = "fixed"
    """How precision and threads were chosen."""
    is_deterministic: bool = False
    """Whether CUDA uses deterministic kernels only; it is not known which kernels of MPS are."""

    @classmethod
    def resolve(cls, config: RuntimeConfig) -> Runtime:
        """Resolve `config` on this machine. Raises `DeviceError` if it lacks the device, bfloat16 or the cores."""
        if config.deterministic and os.environ.get(_CUBLAS_WORKSPACE) not in _DETERMINISTIC_WORKSPACES:
            os.environ[_CUBLAS_WORKSPACE] = _DETERMINISTIC_WORKSPACES[0]
        cores = available_cores()
        if config.threads > cores:
            raise DeviceError(
                f"This program may use {cores} CPU cores; {config.threads} threads would wait for each other.",
                "Leave --threads out to have it measured, or set fewer.",
            )
        name = config.device
        if name == "auto":
            name = next(each for each in ("cuda", "mps", "cpu") if is_available(each))
        elif not is_available(name):
            problem = gpu_problem() if name == "cuda" else ""
            raise DeviceError(
                f"This machine has no {name} device that torch can use{f': {problem}' if problem else '.'}",
                "Leave --device out, or set it to cpu.",
            )
        device, is_cuda, precision = torch.device(name), name == "cuda", config.precision
        if precision == "bfloat16" and is_cuda and not torch.cuda.is_bf16_supported(including_emulation=False):
            raise DeviceError("This GPU has no bfloat16.", "Leave --precision out, or set it to float32.")
        if precision == "auto":  # float32 products of a step on a GPU use TF32 where available
            precision = "bfloat16" if is_cuda and may_train_in_bfloat16(device) else "float32"
        return cls(
            device=device,
            precision=precision,
            # Threads that wait for a core occupied by another process, as the screen's, can be ten times slower than
            # a single thread. `engine.training.tuning` measures the number during training.
            num_threads=config.threads or max(1, min(MAX_AUTO_THREADS, cores - 1)),
            is_deterministic=config.deterministic and is_cuda,
        )

    def computation(self, world_size: int) -> Computation:
        """Return what a checkpoint stores of it, where `world_size` processes train together."""
        return Computation(
            device=self.device.type,
            precision=self.precision,
            num_threads=self.num_threads,
            tuning=self.tuning,
            world_size=world_size,
        )

    def apply(self) -> None:
        """Set torch's number of threads and its choice of kernels, for the whole process.

        torch fills the memory that deterministic kernels write to, to expose reads of what was never written; none of
        ours depends on it.
        """
        torch.set_num_threads(self.num_threads)
        torch.set_deterministic_debug_mode("error" if self.is_deterministic else "default")
        torch.utils.deterministic.fill_uninitialized_memory = not self.is_deterministic  # type: ignore[attr-defined] # set at run time


def is_available(device_type: str) -> bool:
    """Return whether torch can use a device of this type; starts CUDA only if asked about it."""
    if device_type == "cpu":
        return True
    if device_type == "cuda":
        return torch.cuda.is_available() and not gpu_problem()
    return torch.backends.mps.is_available()


def gpu_problem() -> str:
    """Return why torch can't use the GPUs that NVIDIA's driver counts; empty if it can, or if there is none.

    With a driver that is too old for torch's CUDA, or a GPU that another process occupies, torch counts the GPUs by the
    driver's library, but raises on all that needs CUDA.
    """
    if not torch.cuda.device_count():
        return ""
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call] # torch leaves it untyped
        torch.cuda.get_device_capability()
    except (RuntimeError, AssertionError) as error:
        return str(error).partition("\n")[0]
    return "" if torch.cuda.is_available() else "CUDA is not available"


def available_cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def may_train_in_bfloat16(device: torch.device) -> bool:
    """Return whether a device may train faster in bfloat16 than in float32: on MPS, nothing is known of it."""
    return cpu_has_bfloat16() if device.type == "cpu" else device.type == "cuda" and cudnn_supports_bfloat16()


def cpu_has_bfloat16() -> bool:
    """Return whether torch reports native bfloat16 matrix products for this CPU."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return any("bf16" in name for name, is_there in capabilities.items() if is_there is True)


def cudnn_supports_bfloat16() -> bool:
    """Return whether cuDNN's GRU supports bfloat16 on this GPU; if not, torch runs a kernel per character.

    Since cuDNN 9.13 and torch 2.10 (pytorch/pytorch#164411), from compute capability 8.0 on.
    """
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    is_recent = torch.cuda.is_available() and version >= (2, 10) and cudnn_version() >= 91300
    return is_recent and torch.cuda.get_device_capability() >= (8, 0)


def cudnn_version() -> int:
    """Return cuDNN's version; 0 without one, and where one of the machine's GPUs is too old for it."""
    try:
        return torch.backends.cudnn.version() or 0  # type: ignore[no-untyped-call] # torch leaves it untyped
    except RuntimeError:
        LOG.warning("cuDNN can't be used", exc_info=True)
        return 0


def wait_for(device: torch.device) -> None:
    """Wait until the device has completed all queued work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


@contextlib.contextmanager
def tensor_float_32(device: torch.device, *, is_allowed: bool) -> Iterator[None]:
    """Compute CUDA's float32 products in TF32, which has 10 bits of mantissa, or not, during the block.

    torch's default allows it in cuDNN, and in cuBLAS where `TORCH_ALLOW_TF32_CUBLAS_OVERRIDE` is set.
    """
    if device.type != "cuda":
        yield
        return
    in_cudnn, precision = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    torch.backends.cudnn.allow_tf32 = is_allowed
    torch.set_float32_matmul_precision("high" if is_allowed else "highest")
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = in_cudnn
        torch.set_float32_matmul_precision(precision)


def generator_states(device: torch.device) -> dict[str, Tensor]:
    """Return the states of torch's global generators, by device type."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def restore_generator_states(states: dict[str, Tensor], device: torch.device) -> None:
    """Restore torch's global generators from `states`; states of other devices are ignored."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])


@contextlib.contextmanager
def generators_restored_on_error(device: torch.device) -> Iterator[None]:
    """Restore torch's global generators to their present state if the block raises an exception."""
    states = generator_states(device)
    try:
        yield
    except BaseException:  # re-raised; a retry draws the same numbers
        restore_generator_states(states, device)
        raise


def is_generator_state(state: Tensor) -> bool:
    """Return whether `state`, (5056,) uint8, is a valid state of torch's CPU generator.

    Torch does not check that the state's position in the 624 words of the Mersenne Twister and the count of those left
    agree; if they do not, it reads out of bounds.
    """
    if state.dtype != torch.uint8 or state.shape != torch.get_rng_state().shape:
        return False
    try:
        torch.Generator().set_state(state)
    except (RuntimeError, TypeError):
        return False
    left, _, position = struct.unpack_from("<iiQ", state.numpy().tobytes(), 8)
    return int(left) + int(position) <= 624 + 1


@unique
class Draw(IntEnum):
    """The purpose of a derived seed. A number never changes: a saved run, and a `--seed`, repeat their draws by it."""

    DUE_TWEET = 1
    REQUESTED_TWEET = 2
    COMPLETION = 3
    LAST_TWEET = 4
    """The last tweet of a run on a single tweet."""
    DRAFT = 5
    """The drafts of a tweet after the first."""
    DROPOUT_OF_A_RANK = 6
    """Ranks draw different masks."""
    NEW_CHARACTERS = 7
    """Weights of the characters that a checkpoint's vocabulary lacks."""


def derived_seed(seed: int, purpose: Draw, *where: int) -> int:
    """Derive the seed for one purpose at one position of a run, so that no draw depends on earlier draws."""
    return int(np.random.SeedSequence([seed, purpose, *where]).generate_state(1, np.uint64)[0] >> np.uint64(1))
