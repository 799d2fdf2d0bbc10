"""What a checkpoint says about itself, read from the head of its file without torch and without its tensors.

It is the JSON text under the key "tweetgen" in the metadata of the safetensors file; its own SHA-256 and that of the
tensors stand beside it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import SafetensorError, safe_open

from engine import wire
from engine.config import ModelConfig, SamplingConfig, TrainingConfig
from engine.corpus.position import Position
from engine.corpus_config import CorpusConfig
from engine.errors import CheckpointError, TweetgenError
from engine.schedule import Finish

FORMAT_VERSION = 2
_INFO_KEY = "tweetgen"
_INFO_DIGEST_KEY = "tweetgen_info_sha256"
_DIGEST_KEY = "tweetgen_sha256"


@dataclass(frozen=True, kw_only=True)
class CheckpointInfo:
    """All of a checkpoint but its tensors."""

    format_version: int = FORMAT_VERSION
    run: str
    corpus_name: str
    corpus: CorpusConfig
    corpus_digest: str
    """Of the training tweets, to tell whether they are still the same."""
    model: ModelConfig
    training: TrainingConfig
    sampling: SamplingConfig
    vocab: tuple[str, ...]
    """The characters in the order of their token ids, without the special symbols."""
    device: str
    precision: str
    num_threads: int
    step_path: str = ""
    """What computed the steps (`engine.trainer`); empty in a checkpoint of a version that did not say."""
    step: int
    position: Position
    """The batch that comes next."""
    elapsed_seconds: float
    total_chars: int
    last_sample_step: int
    """Step of the feed's last tweet; -1 before the first."""
    last_eval_step: int
    train_loss: float | None
    """Of the last step that had one."""
    val_loss: float | None
    """Of the last evaluation, nats per character."""
    bits_per_char: float | None
    """Of the last evaluation."""
    best_bits_per_char: float | None
    finish: Finish | None = None
    """The last stretch of a run that was asked to finish."""
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def has_finished(self) -> bool:
        """Whether the run was asked to finish, and did."""
        return self.finish is not None and self.step >= self.finish.last_step


def damaged(path: Path, cause: str) -> CheckpointError:
    """Return the error of a file that is not, or no longer, what was once saved."""
    return CheckpointError(f"{path} is damaged: {cause}.", "Take another checkpoint; `checkpoints list` shows all.")


def to_metadata(info: CheckpointInfo, digest: str) -> dict[str, str]:
    """Return the metadata of the file of a checkpoint whose tensors have this SHA-256."""
    text = wire.encode(info)
    return {_INFO_KEY: text, _INFO_DIGEST_KEY: _digest_of(text), _DIGEST_KEY: digest}


def _digest_of(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def read_info(path: Path) -> tuple[CheckpointInfo, str]:
    """Return what a checkpoint file says of itself, and the SHA-256 that its tensors should have.

    Raises `CheckpointError` for a file that is missing, damaged or not ours.
    """
    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata() or {}
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}.", "Check the name or path.") from error
    except SafetensorError as error:
        raise damaged(path, str(error)) from error
    if not {_INFO_KEY, _INFO_DIGEST_KEY, _DIGEST_KEY} <= metadata.keys():
        raise CheckpointError(
            f"{path} was not written by tweetgen-tui.", "Its weights come without a vocabulary, so they can't be used."
        )
    if _digest_of(metadata[_INFO_KEY]) != metadata[_INFO_DIGEST_KEY]:
        raise damaged(path, "what it says of itself is not what was written")
    return _decode(path, metadata[_INFO_KEY]), metadata[_DIGEST_KEY]


def _decode(path: Path, text: str) -> CheckpointInfo:
    """Return the info that a file's metadata holds."""
    try:
        version = wire.decode(text, dict[str, object]).get("format_version")
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise CheckpointError(f"{path} was written by a newer tweetgen-tui.", "Update this program to read it.")
        return wire.decode(text, CheckpointInfo)
    except wire.WireError as error:
        raise damaged(path, str(error)) from error
    except CheckpointError:
        raise
    except TweetgenError as error:
        raise damaged(path, error.message) from error
