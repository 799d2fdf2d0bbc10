"""A checkpoint: one safetensors file with the complete state of a run, to resume it bit for bit. Never uses pickle.

Tensors: `model.*`, `average.*` if the weights are averaged, `optimizer.*`, `generator.*`. Metadata: `CheckpointInfo` as
JSON, and a SHA-256 of the tensors. Loading checks everything and raises `CheckpointError` for every kind of damage.

`HostSnapshot` is what a run copies between two steps when it saves: another thread checks, hashes and writes its
buffer, without a further copy and mostly without the interpreter's lock. It uses NumPy for that: torch would start
threads of its own beside the run's.

A model can grow: characters that its vocabulary lacks get rows after the others (`grown_tensors`). The contexts of an
n-gram input stay those of the first training tweets.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from engine.checkpoints.format import (
    CheckpointInfo,
    Header,
    HeaderError,
    Metadata,
    TensorSpec,
    damaged,
    encode_header,
    open_checkpoint,
    parse_info,
    read_header,
)
from engine.compute.device import Draw, derived_seed, is_generator_state
from engine.config.run import ModelConfig
from engine.errors import VocabError
from engine.model.gru import TABLE_NAME, TextGenerator, weights_with_prefix
from engine.model.vocab import SPECIALS, Vocab
from engine.storage.files import new_file

SQUARES = ("optimizer.exp_avg_sq.", "optimizer.row_square.")
"""Prefixes of the squared gradients; one that overflows to infinity stops the change of its weights, and no more."""
_CONTEXTS = "ngram_input.contexts"
"""The end of the names of the only tensors of integers."""
_WEIGHTS = ("model.", "average.")
_MOMENTS = ("optimizer.exp_avg.", "optimizer.exp_avg_sq.")


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint file."""

    info: CheckpointInfo
    tensors: dict[str, Tensor]

    @property
    def vocab(self) -> Vocab:
        """The vocabulary that the model was trained with."""
        return Vocab(self.info.vocab)

    def grown_to(self, vocab: Vocab, seed: int) -> Checkpoint:
        """Return the checkpoint with rows for the characters that `vocab` has after its own, drawn by `seed`.

        Without any, it is the checkpoint itself.
        """
        if len(vocab) == len(self.vocab):
            return self
        own_seed = derived_seed(seed, Draw.NEW_CHARACTERS, len(self.vocab))
        tensors = grown_tensors(self.tensors, len(vocab), self.info.model, own_seed)
        return Checkpoint(replace(self.info, vocab=vocab.chars), tensors)

    def to_model(self, device: torch.device) -> TextGenerator:
        """Return the model in eval mode, with its averaged weights if there are any. Draws no random number.

        On a CPU it shares the memory of `tensors`.
        """
        model = TextGenerator.without_weights(len(self.vocab), self.info.model)
        weights = weights_with_prefix(self.tensors, "average.") or weights_with_prefix(self.tensors, "model.")
        model.load_state_dict(weights, assign=True)
        if self.info.model.tied_embeddings:
            model.proj.weight = model.embed.weight
        return model.to(device).eval()


def load_checkpoint(path: Path) -> Checkpoint:
    """Read and check a checkpoint. Raises `CheckpointError`, which names the file and the damage.

    The tensors are read only after their shapes in the header were checked against the model settings.
    """
    with open_checkpoint(path) as file:
        header = read_header(file)
        info, digest = parse_info(path, header)
        tensor_specs = header.tensors()
        if problem := _mismatch(info, tensor_specs):
            raise damaged(path, problem)
        tensors = read_tensors(file, header)
    if _digest(tensors) != digest:
        raise damaged(path, "the checksum of its tensors does not match")
    if problem := invalid_values(tensors):
        raise damaged(path, problem)
    return Checkpoint(info, tensors)


def read_tensors(file: BinaryIO, header: Header) -> dict[str, Tensor]:
    """Return the tensors of an open safetensors file. Raises `HeaderError` if they are damaged."""
    file.seek(0)
    content = file.read(header.data_start + header.num_data_bytes)
    try:
        return load(content)
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise HeaderError(str(error)) from error


def _mismatch(info: CheckpointInfo, tensor_specs: dict[str, TensorSpec]) -> str:
    """Return why the tensors do not fit the settings, or "". Draws no random number."""
    model = TextGenerator.without_weights(len(SPECIALS) + len(info.vocab), info.model)
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    wanted = {f"model.{name}": shape for name, shape in expected.items()}
    if info.training.average_lag:
        wanted |= {f"average.{name}": shape for name, shape in expected.items()}
    if info.step:
        for name, parameter in model.named_parameters():  # tied parameters occur once, under the first name
            wanted[f"optimizer.step.{name}"] = ()
            states = ("row_square",) if name == TABLE_NAME else ("exp_avg", "exp_avg_sq")
            shape = tuple(parameter.shape[:1] if name == TABLE_NAME else parameter.shape)
            wanted |= {f"optimizer.{state}.{name}": shape for state in states}
    generators = {name: spec for name, spec in tensor_specs.items() if name.startswith("generator.")}
    found = {name: (spec.dtype, spec.shape) for name, spec in tensor_specs.items() if name not in generators}
    if found != {name: ("I64" if name.endswith(_CONTEXTS) else "F32", shape) for name, shape in wanted.items()}:
        return "its tensors do not fit its model settings"
    if "generator.cpu" not in generators or any(
        spec.dtype != "U8" or len(spec.shape) != 1 for spec in generators.values()
    ):
        return "its random-generator states are invalid"
    try:  # last: it allocates the vocabulary, whose size the tensors have confirmed by now
        Vocab(info.vocab)
    except VocabError as error:
        return error.message.removesuffix(".")
    return ""


def invalid_values(tensors: dict[str, Tensor]) -> str:
    """Return why training can't have produced these tensors, or ""."""
    for name, tensor in tensors.items():
        if tensor.dtype.is_floating_point and tensor.numel():
            low, high = (float(bound) for bound in torch.aminmax(tensor))  # NaN if any element is
            is_square = name.startswith(SQUARES)
            # a squared gradient may overflow: its weight then stops changing, which does no harm
            if not low > -math.inf or (high == math.inf and not is_square):
                return f"{name} has non-finite values"
            if low < 0 and (is_square or name.startswith("optimizer.step.")):
                return f"{name} has negative values"
        if name.endswith(_CONTEXTS) and not (tensor[1:] > tensor[:-1]).all():
            return f"{name} is not in ascending order"
    if not is_generator_state(tensors["generator.cpu"]):
        return "its random-generator state is invalid"
    return ""


def save_checkpoint(path: Path, info: CheckpointInfo, tensors: dict[str, Tensor]) -> None:
    """Write a checkpoint atomically. Raises `StorageError`."""
    write_checkpoint(path, info, HostSnapshot.of(tensors))


def write_checkpoint(path: Path, info: CheckpointInfo, copy: HostSnapshot) -> None:
    """Write a checkpoint atomically, from its copy. For any thread. Raises `StorageError`."""
    copy.wait()
    header = encode_header(Metadata.of(info, _digest(copy.tensors)), copy.specs)
    with new_file(path) as new:
        new.write(header)
        new.write(copy.buffer.numpy().data)  # no further copy


def _digest(tensors: dict[str, Tensor]) -> str:
    """Return the SHA-256 of names, dtypes, shapes and bytes of all tensors."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class HostSnapshot:
    """A copy of named tensors. Any thread may read it, after `wait`."""

    buffer: Tensor
    """All bytes, (N,) uint8; pinned if the tensors are on a CUDA device."""
    tensors: dict[str, Tensor]
    """Views of the buffer in the order of the file: larger elements first, so that all are aligned; then by name."""
    specs: dict[str, TensorSpec]
    """Dtype, shape and offsets of each tensor, as in the header of the file."""
    is_copied: torch.cuda.Event | None
    """Recorded after the copies of a CUDA device; None where they are complete."""

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], spare: HostSnapshot | None = None) -> HostSnapshot:
        """Copy tensors, into the buffer of `spare`, whose content is not needed any more, if it fits.

        On CUDA the copies are queued on the current stream, before the work that changes the tensors next. Raises what
        torch raises where memory runs out.
        """
        order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
        num_bytes = sum(tensor.nbytes for tensor in tensors.values())
        device = next((tensor.device for tensor in tensors.values() if tensor.is_cuda), None)
        if spare is not None and len(spare.buffer) == num_bytes and (spare.is_copied is None) == (device is None):
            buffer = spare.buffer
        else:
            buffer = torch.empty(num_bytes, dtype=torch.uint8, pin_memory=device is not None)
        views: dict[str, Tensor] = {}
        specs: dict[str, TensorSpec] = {}
        first = 0
        for name in order:
            source = tensors[name].detach()
            last = first + source.nbytes
            views[name] = buffer[first:last].view(source.dtype).view(source.shape)
            views[name].copy_(source, non_blocking=source.is_cuda)
            kind = "F" if source.is_floating_point() else "I" if source.is_signed() else "U"
            specs[name] = TensorSpec(f"{kind}{8 * source.element_size()}", tuple(source.shape), (first, last))
            first = last
        is_copied = None
        if device is not None:
            is_copied = torch.cuda.Event()  # type: ignore[no-untyped-call] # torch leaves it untyped
            is_copied.record(torch.cuda.current_stream(device))
        return cls(buffer, views, specs, is_copied)

    def wait(self) -> None:
        """Wait until the device has copied."""
        if self.is_copied is not None:
            self.is_copied.synchronize()

    def has(self, tensors: Mapping[str, Tensor]) -> bool:
        """Return whether the copy contains equal tensors of these names."""
        return all(name in self.tensors and torch.equal(each, self.tensors[name]) for name, each in tensors.items())

    @property
    def is_finite(self) -> bool:
        """Whether all numbers are finite, so that the checkpoint can be loaded.

        A squared gradient may be infinite, see `SQUARES`.
        """
        for name, tensor in self.tensors.items():
            values = tensor.numpy()
            with np.errstate(all="ignore"):  # a sum of finite numbers may overflow
                if np.isfinite(values.sum()) or np.isfinite(values).all():
                    continue
                if not (name.startswith(SQUARES) and (values >= 0).all()):
                    return False
        return True


def grown_tensors(tensors: dict[str, Tensor], vocab_size: int, config: ModelConfig, seed: int) -> dict[str, Tensor]:
    """Return a checkpoint's tensors for a vocabulary of `vocab_size` symbols, V, which starts with the checkpoint's.

    The new rows of embedding, projection and bias, and of their averages, are those of a new model of this seed; the
    moments there are zero. Tensors without V in their shape are the same objects. Draws no number from a global
    generator.
    """
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(seed)
        new = TextGenerator.from_config(vocab_size, config).state_dict()
    initial = {f"{prefix}{name}": weights for prefix in _WEIGHTS for name, weights in new.items()}
    initial |= {f"{prefix}{name}": torch.zeros_like(weights) for prefix in _MOMENTS for name, weights in new.items()}
    found = dict(tensors)
    for name, tensor in tensors.items():
        if name in initial and initial[name].shape != tensor.shape:
            found[name] = grown = initial[name].clone()
            grown[tuple(map(slice, tensor.shape))] = tensor
    return found


def load_first_rows(model: TextGenerator, weights: Mapping[str, Tensor]) -> None:
    """Load the weights of a model of the first symbols of the vocabulary; all further rows stay as they are."""
    own = model.state_dict()
    for name, tensor in weights.items():
        own[name][tuple(map(slice, tensor.shape))].copy_(tensor)
