"""A checkpoint: one safetensors file with the complete state of a run, to resume it bit for bit. Never uses pickle.

Tensors: `model.*`, `average.*` if the weights are averaged, `optimizer.*`, `generator.*`. Metadata: `CheckpointInfo` as
JSON, and a SHA-256 of the tensors. Loading checks everything and raises `CheckpointError` for every kind of damage.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from engine.checkpoints.header import TensorSpec, encode_header, read_header
from engine.checkpoints.host_copy import SQUARES, HostCopy
from engine.checkpoints.metadata import CheckpointInfo, damaged, open_checkpoint, parse_info, to_metadata
from engine.compute import device as runtime
from engine.errors import VocabError
from engine.model.growth import grown_tensors
from engine.model.gru import TABLE_NAME, TextGenerator, weights_with_prefix
from engine.model.vocab import SPECIALS, Vocab
from engine.storage.files import new_file

_GROWTH = 5  # purpose of a derived seed
_CONTEXTS = "ngram_input.contexts"
"""The end of the names of the only tensors of integers."""


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
        own_seed = runtime.derived_seed(seed, _GROWTH, len(self.vocab))
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


def _digest(tensors: dict[str, Tensor]) -> str:
    """Return the SHA-256 of names, dtypes, shapes and bytes of all tensors."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def save_checkpoint(path: Path, info: CheckpointInfo, tensors: dict[str, Tensor]) -> None:
    """Write a checkpoint atomically. Raises `StorageError`."""
    write_host_copy(path, info, HostCopy.of(tensors))


def write_host_copy(path: Path, info: CheckpointInfo, copy: HostCopy) -> None:
    """Write a checkpoint atomically, from its copy. For any thread. Raises `StorageError`."""
    copy.wait()
    header = encode_header(to_metadata(info, _digest(copy.tensors)), copy.specs)
    with new_file(path) as new:
        new.write(header)
        new.write(copy.content)


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
        file.seek(0)
        content = file.read(header.data_start + header.num_data_bytes)
    try:
        tensors = load(content)
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise damaged(path, str(error)) from error
    if _digest(tensors) != digest:
        raise damaged(path, "the checksum of its tensors does not match")
    if problem := invalid_values(tensors):
        raise damaged(path, problem)
    return Checkpoint(info, tensors)


def _mismatch(info: CheckpointInfo, tensor_specs: dict[str, TensorSpec]) -> str:
    """Return why the tensors do not fit the settings, or "". Draws no random number."""
    model = TextGenerator.without_weights(len(SPECIALS) + len(info.vocab), info.model)
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    wanted = {f"model.{name}": shape for name, shape in expected.items()}
    if info.training.average_lag:
        wanted |= {f"average.{name}": shape for name, shape in expected.items()}
    if info.step:
        for name, parameter in model.named_parameters():  # of tied ones, the first
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
    if not runtime.is_generator_state(tensors["generator.cpu"]):
        return "its random-generator state is invalid"
    return ""
