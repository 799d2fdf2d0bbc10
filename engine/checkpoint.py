"""A checkpoint: one safetensors file with all that it takes to go on exactly where a run stood. No pickle, ever.

Tensors: `model.*`, `average.*` where an average of the weights is kept, `optimizer.*`, `generator.*`. Metadata:
`CheckpointInfo` as JSON, and a SHA-256 of the tensors.
Loading checks everything and turns every kind of damage into one `CheckpointError`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from engine.checkpoint_info import CheckpointInfo, damaged, read_info, to_metadata
from engine.errors import CheckpointError, VocabError
from engine.folders import write_atomically
from engine.gru import TextGenerator
from engine.vocab import Vocab


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a checkpoint file holds."""

    info: CheckpointInfo
    tensors: dict[str, Tensor]

    @property
    def vocab(self) -> Vocab:
        """The vocabulary that the model was trained with."""
        return Vocab(self.info.vocab)

    def to_model(self, device: torch.device) -> TextGenerator:
        """Return the model, with the average of its weights if there is one, in eval mode.

        Raises `CheckpointError` where the weights do not fit its shape.
        """
        model = TextGenerator.from_config(len(self.vocab), self.info.model)
        try:
            model.load_state_dict(weights_in(self.tensors, "average.") or weights_in(self.tensors, "model."))
        except RuntimeError as error:
            raise CheckpointError("The checkpoint's weights do not fit the model that it describes.") from error
        return model.to(device).eval()


def weights_in(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return those of a checkpoint's tensors whose names begin with `prefix`, by the names in a `state_dict`."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _digest(tensors: dict[str, Tensor]) -> str:
    """Return a SHA-256 over names, types, shapes and bytes of all tensors."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def save_checkpoint(path: Path, info: CheckpointInfo, tensors: dict[str, Tensor]) -> None:
    """Write a checkpoint, whole or not at all. Raises `StorageError`."""
    on_cpu = _apart({name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()})
    write_atomically(path, save(on_cpu, metadata=to_metadata(info, _digest(on_cpu))))


def _apart(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors, each in memory of its own, as safetensors wants them; tied ones were in the same."""
    places: set[int] = set()
    apart = {}
    for name, tensor in tensors.items():
        apart[name] = tensor.clone() if tensor.data_ptr() in places else tensor
        places.add(tensor.data_ptr())
    return apart


def load_checkpoint(path: Path) -> Checkpoint:
    """Read and check a checkpoint. Raises `CheckpointError`, which says what is wrong with which file."""
    info, digest = read_info(path)
    try:
        tensors = load(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}.") from error
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise damaged(path, str(error)) from error
    if _digest(tensors) != digest:
        raise damaged(path, "its numbers are not those that were written")
    if problem := _misfit(info, tensors):
        raise damaged(path, problem)
    return Checkpoint(info, tensors)


def _misfit(info: CheckpointInfo, tensors: dict[str, Tensor]) -> str:
    """Return why tensors and info do not belong together, or nothing. Draws no random number."""
    try:
        vocab_size = len(Vocab(info.vocab))
    except VocabError as error:
        return error.message.removesuffix(".")
    with torch.device("meta"):
        model = TextGenerator.from_config(vocab_size, info.model)
    expected = {name: tensor.shape for name, tensor in model.state_dict().items()}
    wanted = {f"model.{name}": shape for name, shape in expected.items()}
    if info.training.average_lag:
        wanted |= {f"average.{name}": shape for name, shape in expected.items()}
    if info.step:
        for name, parameter in model.named_parameters():  # of tied ones, the first
            wanted[f"optimizer.step.{name}"] = torch.Size()
            wanted |= {f"optimizer.{moment}.{name}": parameter.shape for moment in ("exp_avg", "exp_avg_sq")}
    found = {name: t.shape for name, t in tensors.items() if not name.startswith("generator.")}
    if found != wanted or "generator.cpu" not in tensors:
        return "its tensors are not those of the model that it describes"
    return ""
