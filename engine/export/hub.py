"""A folder as model hubs read it: weights, settings, vocabulary, model card and code. Written, and read back.

No file in it names a path, a machine or a user, or quotes a tweet. A folder to read is not trusted: none of its code is
run, the card is not read, and the sizes in it are compared before memory is allocated by them.
"""

from __future__ import annotations

import difflib
import importlib.resources
import os
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

import torch
from safetensors.torch import save
from torch import Tensor

from engine.checkpoints.checkpoint import Checkpoint, invalid_values, load_checkpoint, read_tensors
from engine.checkpoints.format import CheckpointInfo, Progress, open_checkpoint, read_header
from engine.config.corpus import CorpusConfig
from engine.config.fields import require
from engine.config.run import Computation, ModelConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.errors import CheckpointError, ConfigError, CorpusError, StorageError, VocabError
from engine.export.copies import Measured, measure
from engine.export.model_card import model_card
from engine.model.gru import TextGenerator
from engine.model.vocab import BOS, EOS, PAD, SPECIALS, UNK, Vocab
from engine.protocol import codec
from engine.protocol.progress import BatchCursor, OnProgress, no_progress
from engine.sampling.logits import NEVER_SAMPLED
from engine.storage.files import storage_errors, sync_folder, write_atomically
from engine.text import sanitize_line

WEIGHTS: Final = "model.safetensors"
"""The weights alone, under the names of `TextGenerator.state_dict`; of tied ones only `embed.weight`."""
MODEL: Final = "config.json"
"""`ModelSettings`."""
GENERATION: Final = "generation_config.json"
"""`GenerationSettings`."""
VOCAB: Final = "vocab.json"
"""Token id by symbol, in the order of the ids."""
CARD: Final = "README.md"
"""The model card (`engine.export.model_card`)."""
CODE: Final = "modeling.py"
"""`assets/hub/modeling.py`, which loads the others and needs nothing of this program."""
MODEL_TYPE: Final = "tweetgen-gru"
MAX_JSON_BYTES: Final = 8 * 1024 * 1024
"""Limit of each JSON file; a vocabulary of all characters of Unicode takes 2.4 MB."""
_TIED: Final = "proj.weight"
"""The tensor that a model with tied embeddings leaves out."""
_LICENSES: Final = """
afl-3.0 agpl-3.0 apache-2.0 apple-amlr apple-ascl artistic-2.0 bigcode-openrail-m bigscience-bloom-rail-1.0
bigscience-openrail-m bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc cc-by-2.0 cc-by-2.5
cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0
cdla-permissive-2.0 cdla-sharing-1.0 creativeml-openrail-m deepfloyd-if-license ecl-2.0 epl-1.0 epl-2.0 etalab-2.0
eupl-1.1 eupl-1.2 fair-noncommercial-research-license gemma gfdl gpl gpl-2.0 gpl-3.0 grok2-community h-research
intel-research isc lgpl lgpl-2.1 lgpl-3.0 lgpl-lr llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 lppl-1.3c mit
mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 openmdw-1.0 openrail openrail++ osl-3.0 other pddl postgresql unknown
unlicense wtfpl zlib
"""
"""Identifiers that the Hugging Face hub accepts (huggingface.co/docs/hub/repositories-licenses)."""


def checked_license(name: str) -> str:
    """Return the hub's identifier of a license, in lower case. Raises `ConfigError` if there is none."""
    identifier = name.strip().lower()
    if identifier in _LICENSES.split():
        return identifier
    words = [word for word in identifier.split() if word not in {"the", "license", "licence"}]
    near = difflib.get_close_matches("-".join(words), sorted(_LICENSES.split()), n=3)
    raise ConfigError(
        f"The hub has no license called “{name}”.",
        f"Did you mean {', '.join(near)}?"
        if near
        else "Use its identifier, such as mit, apache-2.0, cc-by-4.0, cc0-1.0, other or unknown; "
        "huggingface.co/docs/hub/repositories-licenses lists all.",
    )


# Settings, in the names that their readers expect (transformers' configs) ---------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """The content of `config.json`: what is needed to build the model, and to train on from it."""

    model_type: Literal["tweetgen-gru"] = MODEL_TYPE
    architectures: tuple[str, ...] = ("TextGenerator",)
    torch_dtype: Literal["float32"] = "float32"
    vocab_size: int
    embedding_size: int
    hidden_size: int
    num_hidden_layers: int
    dropout: float = 0.0
    tie_word_embeddings: bool
    ngram_order: int = 0
    ngram_contexts: int = 0
    """Rows of the n-gram input; 0 without one."""
    pad_token_id: Literal[0] = PAD
    bos_token_id: Literal[1] = BOS
    eos_token_id: Literal[2] = EOS
    unk_token_id: Literal[3] = UNK
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        """Check all sizes. Raises `ConfigError`."""
        require("vocab_size", self.vocab_size, f"at least {len(SPECIALS)}", is_valid=self.vocab_size >= len(SPECIALS))
        self.to_model_config()

    @classmethod
    def of(cls, info: CheckpointInfo) -> ModelSettings:
        """Return the settings of a checkpoint's model."""
        return cls(
            vocab_size=len(SPECIALS) + len(info.vocab),
            embedding_size=info.model.embedding_size,
            hidden_size=info.model.hidden_size,
            num_hidden_layers=info.model.num_layers,
            dropout=info.model.dropout,
            tie_word_embeddings=info.model.tied_embeddings,
            ngram_order=info.model.ngram_order,
            ngram_contexts=info.model.ngram_contexts,
            training=replace(info.training, preset_reason=""),
        )

    def to_model_config(self) -> ModelConfig:
        """Return the sizes of the model. Raises `ConfigError` if one is out of range."""
        return ModelConfig(
            embedding_size=self.embedding_size,
            hidden_size=self.hidden_size,
            num_layers=self.num_hidden_layers,
            dropout=self.dropout,
            tied_embeddings=self.tie_word_embeddings,
            ngram_order=self.ngram_order,
            ngram_contexts=self.ngram_contexts,
        )


@dataclass(frozen=True, kw_only=True)
class GenerationSettings:
    """The content of `generation_config.json`."""

    do_sample: bool
    """False is greedy, our temperature of 0."""
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    temperature_last: bool = False
    """Our own: whether the temperature comes after the three filters."""
    max_length: int
    """In tokens, `<BOS>` included."""
    pad_token_id: Literal[0] = PAD
    bos_token_id: Literal[1] = BOS
    eos_token_id: Literal[2] = EOS
    suppress_tokens: tuple[int, ...] = NEVER_SAMPLED

    def __post_init__(self) -> None:
        """Check all numbers. Raises `ConfigError`."""
        self.to_sampling_config()

    @classmethod
    def of(cls, sampling: SamplingConfig) -> GenerationSettings:
        """Return the distribution and length of `sampling`, without its texts."""
        return cls(
            do_sample=sampling.temperature > 0,
            temperature=sampling.temperature or 1.0,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            min_p=sampling.min_p,
            temperature_last=sampling.temperature_last,
            max_length=1 + sampling.max_length,
        )

    def to_sampling_config(self) -> SamplingConfig:
        """Return the same as our own settings. Raises `ConfigError` if one is out of range."""
        return SamplingConfig(
            temperature=self.temperature if self.do_sample else 0.0,
            top_k=self.top_k,
            top_p=self.top_p,
            min_p=self.min_p,
            temperature_last=self.temperature_last,
            max_length=self.max_length - 1,
        )


# Written --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class WrittenFolder:
    """The outcome of an export."""

    num_bytes: int
    measured: Measured | None
    finding: str
    """What was measured with the training tweets, or why they could not be read."""


def write_folder(
    path: Path, target: Path, license_id: str, *, may_replace: bool, on_progress: OnProgress = no_progress
) -> WrittenFolder:
    """Write the model of the checkpoint at `path`, with averaged weights if there are any, into the folder `target`.

    The folder is created. All files are written into a temporary one, then moved: a full disk leaves those that were
    there. Raises `CheckpointError`, and `StorageError` as `require_free` or if the folder can't be written.
    """
    require_free(target, may_replace=may_replace)
    checkpoint = load_checkpoint(path)
    sampling = replace(checkpoint.info.sampling, prime="")  # a model folder stores no prime
    measured = None
    try:
        measured = measure(path, checkpoint, sampling, on_progress)
        finding = f"{measured.bits_per_char:.3f} bits per character. {measured.copies}"
    except (CheckpointError, CorpusError) as error:
        finding = f"Copies of training tweets were not counted: {error.message}"
    contents = _contents(target.resolve().name, license_id, checkpoint, measured)
    hint = "Export to another folder."
    with storage_errors(target, hint):
        target.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", suffix=".tmp", dir=target) as temporary:
            for name, content in contents.items():
                write_atomically(Path(temporary, name), content, 0o666, hint)
            for name in contents:
                os.replace(Path(temporary, name), target / name)
        sync_folder(target)
    return WrittenFolder(num_bytes=sum(map(len, contents.values())), measured=measured, finding=finding)


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


def _contents(name: str, license_id: str, checkpoint: Checkpoint, measured: Measured | None) -> dict[str, bytes]:
    info = checkpoint.info
    weights = checkpoint.to_model(torch.device("cpu")).state_dict()
    if info.model.tied_embeddings:
        del weights[_TIED]
    return {
        WEIGHTS: save(weights, {"format": "pt"}),
        MODEL: codec.pretty(ModelSettings.of(info)).encode(),
        GENERATION: codec.pretty(GenerationSettings.of(info.sampling)).encode(),
        VOCAB: codec.pretty(checkpoint.vocab.stoi).encode(),
        CARD: model_card(name, license_id, info, measured).encode(),
        CODE: importlib.resources.files("assets.hub").joinpath(CODE).read_bytes(),
    }


# Read -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Kind:
    """The part of `config.json` that every model has."""

    model_type: object = None


def read_folder(folder: Path) -> Checkpoint:
    """Read and check a model folder, as a checkpoint at step 0, with a new optimizer and random-generator state.

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
    weights = _weights(folder / WEIGHTS, settings)
    tensors = {f"model.{name}": weight for name, weight in weights.items()}
    if settings.training.average_lag:
        tensors |= {f"average.{name}": weight for name, weight in weights.items()}
    tensors["generator.cpu"] = torch.Generator().manual_seed(settings.training.seed).get_state()
    if problem := invalid_values(tensors):
        raise _damaged(folder / WEIGHTS, problem)
    info = CheckpointInfo(
        run=sanitize_line(folder.resolve().name),
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
    return Checkpoint(info, tensors)


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


def _weights(path: Path, settings: ModelSettings) -> dict[str, Tensor]:
    """Return the weights by their names in `TextGenerator.state_dict`, tied ones twice. Raises `CheckpointError`."""
    expected = TextGenerator.without_weights(settings.vocab_size, settings.to_model_config()).state_dict()
    if settings.tie_word_embeddings:
        del expected[_TIED]
    wanted = {
        name: ("F32" if weight.is_floating_point() else "I64", tuple(weight.shape)) for name, weight in expected.items()
    }
    with open_checkpoint(path) as file:
        header = read_header(file)
        if {name: (spec.dtype, spec.shape) for name, spec in header.tensors().items()} != wanted:
            raise _damaged(path, f"its tensors do not fit {MODEL}")
        weights = read_tensors(file, header)
    return weights | ({_TIED: weights["embed.weight"]} if settings.tie_word_embeddings else {})
