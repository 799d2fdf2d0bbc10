"""The metadata of a checkpoint, read from the file's header without its tensors. Never imports torch.

It is JSON under the key "tweetgen" in the metadata of the safetensors file, beside its own SHA-256 and that of the
tensors.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec

from engine.checkpoints.header import Header, HeaderError, read_header
from engine.config.corpus import CorpusConfig
from engine.config.run import ModelConfig, Precision, TrainingConfig, Tuning
from engine.config.sampling import SamplingConfig
from engine.config.validation import require, require_between, require_choice
from engine.corpus.position import Position
from engine.errors import CheckpointError
from engine.protocol import codec
from engine.storage.files import open_regular
from engine.training.schedule import Finish

_INFO_KEY = "tweetgen"
_INFO_DIGEST_KEY = "tweetgen_info_sha256"
_DIGEST_KEY = "tweetgen_sha256"


@dataclass(frozen=True, kw_only=True)
class CheckpointInfo:
    """All of a checkpoint except its tensors."""

    run: str
    corpus_name: str
    corpus: CorpusConfig
    corpus_digest: str
    """Hash of the training tweets: a resume continues at `position` only if it is unchanged. Empty if they are unknown,
    see `knows_corpus`."""
    model: ModelConfig
    training: TrainingConfig
    sampling: SamplingConfig
    vocab: Annotated[tuple[str, ...], msgspec.Meta(max_length=sys.maxunicode)]
    """The characters in the order of their token ids, without the special symbols."""
    device: str
    precision: str
    num_threads: int
    tuning: Tuning
    world_size: int
    """Number of processes that trained together."""
    step: int
    position: Position
    """The next batch."""
    elapsed_seconds: float
    total_chars: int
    last_sample_step: int
    """Step of the feed's last tweet; -1 before the first."""
    num_exact_samples: int
    """Samples in a row that equalled the only tweet of an overfit run."""
    last_eval_step: int
    is_eval_early: bool
    """Whether that evaluation was on some of the tweets; its figure is not the best then."""
    last_save_step: int
    """Step at which a `step-N` was last due."""
    train_loss: float | None
    """Nats per character, of the last step with a finite loss."""
    val_loss: float | None
    """Of the last evaluation, nats per character."""
    bits_per_char: float | None
    """Of the last evaluation."""
    best_bits_per_char: float | None
    finish: Finish | None = None
    """The annealing phase, if the run was asked to finish."""
    is_imported: bool = False
    """Whether it was imported: the files that its `corpus` names are read only if the user names them too."""
    versions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check every number: a valid SHA-256 does not make the file trusted. Raises `ConfigError`."""
        for name in ("step", "total_chars", "num_exact_samples", "last_eval_step"):
            require_between(self, name, 0)
        require_between(self, "last_sample_step", -1)
        require_between(self, "elapsed_seconds", 0.0)
        require_between(self, "num_threads", 1)
        require_choice(self, "precision", Precision)
        for name in ("train_loss", "val_loss", "bits_per_char", "best_bits_per_char"):
            require_between(self, name, 0.0)
        require_between(self.position, "epoch", 0)
        require_between(self.position, "batch", 0)
        if self.finish is not None:
            require_between(self.finish, "first_step", 0)
            require_between(self.finish, "last_step", 1)
            is_after = self.finish.last_step > self.finish.first_step
            require("finish", self.finish.last_step, f"after step {self.finish.first_step}", is_valid=is_after)

    @property
    def knows_corpus(self) -> bool:
        """Whether `corpus` is what it was trained on; a model that was imported from a hub's folder lacks it."""
        return self.corpus_digest != ""

    @property
    def is_evaluation_stale(self) -> bool:
        """Whether `val_loss` and `bits_per_char` were measured at an earlier step, `last_eval_step`."""
        return self.bits_per_char is not None and self.last_eval_step != self.step

    @property
    def has_finished(self) -> bool:
        """Whether the run was asked to finish and has reached the last step."""
        return self.finish is not None and self.step >= self.finish.last_step


def damaged(path: Path, cause: str) -> CheckpointError:
    """Return the error of a damaged checkpoint; `cause` is a clause."""
    return CheckpointError(f"{path} is damaged: {cause}.", "Use another checkpoint; `checkpoints list` shows all.")


def to_metadata(info: CheckpointInfo, digest: str) -> dict[str, str]:
    """Return the safetensors metadata; `digest` is the SHA-256 of the tensors."""
    text = codec.encode(info)
    return {_INFO_KEY: text, _INFO_DIGEST_KEY: _digest_of(text), _DIGEST_KEY: digest}


def _digest_of(text: str) -> str:
    """Return the SHA-256 of a text in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@contextlib.contextmanager
def open_checkpoint(path: Path) -> Iterator[BinaryIO]:
    """Open a checkpoint file; errors inside the block become a `CheckpointError` that names it."""
    try:
        with open_regular(path) as file:
            yield file
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}.", "Check the name or path.") from error
    except HeaderError as error:
        raise damaged(path, str(error)) from error


def read_info(path: Path) -> tuple[CheckpointInfo, str]:
    """Return the metadata of a checkpoint file and the expected SHA-256 of its tensors.

    Raises `CheckpointError` if the file is missing, damaged or foreign.
    """
    with open_checkpoint(path) as file:
        header = read_header(file)
        info, digest = parse_info(path, header)
        header.tensors()
    return info, digest


def parse_info(path: Path, header: Header) -> tuple[CheckpointInfo, str]:
    """Return the metadata of a header and the expected SHA-256 of the tensors. Raises `CheckpointError`."""
    metadata = header.metadata
    if not all((metadata.tweetgen_info_sha256, metadata.tweetgen_sha256)):
        raise CheckpointError(
            f"{path} was not written by tweetgen-tui.", "Its weights lack a vocabulary, so they can't be used."
        )
    if _digest_of(metadata.tweetgen) != metadata.tweetgen_info_sha256:
        raise damaged(path, "the checksum of its metadata does not match")
    return _decode(path, metadata.tweetgen), metadata.tweetgen_sha256


def _decode(path: Path, text: str) -> CheckpointInfo:
    """Decode the JSON of the metadata. Raises `CheckpointError`."""
    try:
        return codec.decode(text, CheckpointInfo)
    except codec.DecodeError as error:
        raise damaged(path, str(error)) from error
