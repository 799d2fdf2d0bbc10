"""Writes a checkpoint's model as a folder for a hub. Its files appear once all of them are written."""

from __future__ import annotations

import importlib.resources
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import save

from engine.checkpoints.checkpoint import Checkpoint, load_checkpoint
from engine.compute.device import Runtime
from engine.config.run import RuntimeConfig
from engine.errors import CheckpointError, CorpusError, StorageError
from engine.export.hub import CARD, CODE, GENERATION, MODEL, TIED, VOCAB, WEIGHTS
from engine.export.hub.card import model_card
from engine.export.hub.measured import Measured, measure
from engine.export.hub.settings import GenerationSettings, ModelSettings
from engine.model.gru import TextGenerator
from engine.progress import OnProgress, no_progress
from engine.protocol import codec
from engine.storage.files import storage_errors, sync_folder, write_atomically


@dataclass(frozen=True, kw_only=True)
class WrittenFolder:
    """The outcome of an export."""

    num_bytes: int
    measured: Measured | None
    problem: str
    """Why the training tweets could not be read; else empty."""

    @property
    def finding(self) -> str:
        """What was measured with the training tweets, or why nothing was."""
        if self.measured is None:
            return f"Copies of training tweets were not counted: {self.problem}"
        return f"{self.measured.bits_per_char:.3f} bits per character. {self.measured.copies}"


def write_folder(
    path: Path, target: Path, license_id: str, *, may_replace: bool, on_progress: OnProgress = no_progress
) -> WrittenFolder:
    """Write the model of the checkpoint at `path`, with averaged weights if there are any, into the folder `target`.

    The folder is created. Raises `CheckpointError`, and `StorageError` as `require_free` or if it can't be written.
    """
    require_free(target, may_replace=may_replace)
    checkpoint = load_checkpoint(path)
    runtime = Runtime.resolve(RuntimeConfig(device="cpu"))
    runtime.apply()
    model = checkpoint.to_model(runtime.device)
    measured, problem = None, ""
    try:
        measured = measure(path, checkpoint, model, on_progress)
    except (CheckpointError, CorpusError) as error:
        problem = error.message
    contents = _contents(target.resolve().name, license_id, checkpoint, model, measured)
    _write(target, contents)
    return WrittenFolder(num_bytes=sum(map(len, contents.values())), measured=measured, problem=problem)


def require_free(target: Path, *, may_replace: bool) -> None:
    """Raise `StorageError` unless `target` is a folder, empty or with files that `may_replace`, or can be created."""
    try:
        if any(target.iterdir()) and not may_replace:
            raise StorageError(f"{target} is not empty.", f"--force replaces the files of a model in it: {WEIGHTS} ...")
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise StorageError(
                f"There is no folder {target.parent}.", "Create it first, or export to another folder."
            ) from None
    except NotADirectoryError as error:
        raise StorageError(f"{target} is not a folder.", "Export to another name.") from error
    except OSError as error:
        raise StorageError(f"{target} can't be used: {error.strerror}.", "Export to another folder.") from error


def _contents(
    name: str, license_id: str, checkpoint: Checkpoint, model: TextGenerator, measured: Measured | None
) -> dict[str, bytes]:
    """Return the content of each file."""
    info = checkpoint.info
    weights = model.state_dict()
    if info.model.tied_embeddings:
        del weights[TIED]
    return {
        WEIGHTS: save(weights, {"format": "pt"}),
        MODEL: codec.pretty(ModelSettings.of(info)).encode(),
        GENERATION: codec.pretty(GenerationSettings.of(info.sampling)).encode(),
        VOCAB: codec.pretty(checkpoint.vocab.stoi).encode(),
        CARD: model_card(name, license_id, info, measured).encode(),
        CODE: importlib.resources.files("assets.hub").joinpath(CODE).read_bytes(),
    }


def _write(target: Path, contents: dict[str, bytes]) -> None:
    """Write all files into a temporary folder, then move them: a full disk leaves those that were there."""
    try:
        with storage_errors(target):
            target.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".", suffix=".tmp", dir=target) as temporary:
                for name, content in contents.items():
                    write_atomically(Path(temporary, name), content, mode=0o666)
                for name in contents:
                    os.replace(Path(temporary, name), target / name)
            sync_folder(target)
    except StorageError as error:
        raise StorageError(error.message, "Export to another folder.") from error
