"""Reads a model folder back, as a checkpoint at step 0.

The folder may come from anybody: none of its code is run, the card is not read, and the sizes in it are compared before
memory is allocated by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from engine.checkpoints.checkpoint import Checkpoint, invalid_values
from engine.checkpoints.format import CheckpointInfo, Progress, open_checkpoint, read_header
from engine.config.corpus import CorpusConfig
from engine.config.run import Computation, ModelConfig
from engine.config.sampling import SamplingConfig
from engine.corpus.batch_cursor import BatchCursor
from engine.errors import CheckpointError, VocabError
from engine.export.hub import GENERATION, MODEL, TIED, VOCAB, WEIGHTS
from engine.export.hub.settings import MODEL_TYPE, GenerationSettings, ModelSettings
from engine.model.gru import TextGenerator
from engine.model.vocab import SPECIALS, Vocab
from engine.protocol import codec
from engine.text import sanitize_line

MAX_JSON_BYTES = 8 * 1024 * 1024
"""Of each JSON file; a vocabulary of all characters of Unicode takes 2.4 MB."""


@dataclass(frozen=True)
class _Kind:
    """The part of `config.json` that every model has."""

    model_type: object = None


def read_folder(folder: Path) -> Checkpoint:
    """Read and check a model folder; without steps, figures and tweets, and with a new optimizer and generator.

    Raises `CheckpointError`, which names the file and the damage.
    """
    kind = _decoded(folder / MODEL, _Kind).model_type
    if kind != MODEL_TYPE:
        raise CheckpointError(
            f"{folder} has a model of another kind: {kind!r}.", "Import a folder that `tweetgen-tui export hub` wrote."
        )
    settings = _decoded(folder / MODEL, ModelSettings)
    sampling = _decoded(folder / GENERATION, GenerationSettings).to_sampling_config()
    vocab = _vocab(folder / VOCAB, settings.vocab_size)
    config = settings.to_model_config()
    weights = _weights(folder / WEIGHTS, len(vocab), config)
    tensors = {f"model.{name}": weight for name, weight in weights.items()}
    if settings.training.average_lag:
        tensors |= {f"average.{name}": weight for name, weight in weights.items()}
    tensors["generator.cpu"] = torch.Generator().manual_seed(settings.training.seed).get_state()
    if problem := invalid_values(tensors):
        raise _damaged(folder / WEIGHTS, problem)
    return Checkpoint(_info(sanitize_line(folder.resolve().name), settings, sampling, vocab), tensors)


def _info(name: str, settings: ModelSettings, sampling: SamplingConfig, vocab: Vocab) -> CheckpointInfo:
    """Return the metadata of a checkpoint before its first step, of tweets that are not known."""
    return CheckpointInfo(
        run=name,
        corpus_name="unknown",
        corpus=CorpusConfig(),
        corpus_digest="",
        model=settings.to_model_config(),
        training=settings.training,
        sampling=sampling,
        vocab=vocab.chars,
        computation=Computation(device="cpu", precision="float32", num_threads=1, tuning="", world_size=1),
        step=0,
        position=BatchCursor(),
        elapsed_seconds=0.0,
        progress=Progress(),
    )


def _damaged(path: Path, cause: str) -> CheckpointError:
    return CheckpointError(f"{path} is damaged: {cause}.", "Get the folder again from where it came from.")


def _decoded(path: Path, kind: type[codec.Value]) -> codec.Value:
    """Return the content of a JSON file. Raises `CheckpointError`."""
    with open_checkpoint(path) as file:
        text = file.read(MAX_JSON_BYTES + 1)
    if len(text) > MAX_JSON_BYTES:
        raise _damaged(path, f"it has more than {MAX_JSON_BYTES:,} bytes")
    try:
        return codec.decode(text, kind)
    except codec.DecodeError as error:
        raise _damaged(path, str(error).removesuffix(".")) from error


def _vocab(path: Path, size: int) -> Vocab:
    """Return the vocabulary of a `vocab.json` with `size` symbols. Raises `CheckpointError`."""
    symbols = {token_id: symbol for symbol, token_id in _decoded(path, dict[str, int]).items()}
    if len(symbols) != size or symbols.keys() != set(range(size)):
        raise _damaged(path, f"it does not give each id from 0 to {size - 1:,} to one symbol")
    itos = tuple(symbols[token_id] for token_id in range(size))
    if itos[: len(SPECIALS)] != SPECIALS:
        raise _damaged(path, f"its first symbols are not {', '.join(SPECIALS)}")
    try:
        return Vocab(itos[len(SPECIALS) :])
    except VocabError as error:
        raise _damaged(path, error.message.removesuffix(".")) from error


def _weights(path: Path, vocab_size: int, config: ModelConfig) -> dict[str, Tensor]:
    """Return the weights by their names in `TextGenerator.state_dict`, tied ones twice. Raises `CheckpointError`."""
    expected = TextGenerator.without_weights(vocab_size, config).state_dict()
    if config.tied_embeddings:
        del expected[TIED]
    wanted = {
        name: ("F32" if weight.is_floating_point() else "I64", tuple(weight.shape)) for name, weight in expected.items()
    }
    with open_checkpoint(path) as file:
        header = read_header(file)
        if {name: (spec.dtype, spec.shape) for name, spec in header.tensors().items()} != wanted:
            raise _damaged(path, f"its tensors do not fit {MODEL}")
        file.seek(0)
        content = file.read(header.data_start + header.num_data_bytes)
    try:
        weights = load(content)
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise _damaged(path, str(error)) from error
    return weights | ({TIED: weights["embed.weight"]} if config.tied_embeddings else {})
