"""Model folders as hubs have them: the first byte of an input says which of their files the rest replaces."""

from __future__ import annotations

from pathlib import Path

from engine.errors import CheckpointError
from engine.export.hub import GENERATION, MODEL, VOCAB, WEIGHTS
from engine.export.hub.read import read_folder
from tests.engine.export.models import EMOJI, SHAPES, write_random_folder
from tests.fuzz.target import Target, require_plain

_FILES = {b"m": MODEL, b"g": GENERATION, b"v": VOCAB, b"w": WEIGHTS}


def make(folder: Path) -> Target:
    """Return the target."""
    model = folder / "model"
    write_random_folder(model, SHAPES["all"], EMOJI)
    whole = {name: (model / name).read_bytes() for name in _FILES.values()}
    read_folder(model)  # whatever is done only once is done now
    return Target(
        name="model_folders",
        seeds=tuple(letter + whole[name] for letter, name in _FILES.items()),
        tokens=(
            b'"hidden_size":8192',
            b'"num_hidden_layers":16',
            b'"training":{',
            b"F32",
            b"I64",
            b'"<UNK>":3',
            b"1e999",
        ),
        check=lambda data: _check(model, whole, data),
    )


def _check(folder: Path, whole: dict[str, bytes], data: bytes) -> str:
    """Replace one file of a good folder, and read the folder."""
    name = _FILES.get(data[:1], MODEL)
    (folder / name).write_bytes(data[1:])
    outcome = "read"
    try:
        read_folder(folder)
    except CheckpointError as error:
        require_plain(error.message, error.hint)
        outcome = error.message
    finally:
        (folder / name).write_bytes(whole[name])
    assert outcome == "read" or folder.name in outcome
    return outcome
