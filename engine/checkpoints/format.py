"""The format of a checkpoint file: its metadata, `CheckpointInfo`, and the offsets of its tensors. Never imports torch.

A safetensors file is the length of the header in eight bytes, the header as JSON, then the tensors without a gap. The
header's metadata has `CheckpointInfo` as JSON under the key "tweetgen", beside its SHA-256 and that of the tensors. The
file is never trusted: memory is bounded by `MAX_HEADER_BYTES`, whatever it claims. Plain reads, no memory map: a mapped
file that is truncated meanwhile kills the process.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import msgspec

from engine.config.corpus import CorpusConfig
from engine.config.fields import LARGEST, require
from engine.config.run import Computation, ModelConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.errors import CheckpointError
from engine.protocol import codec
from engine.protocol.progress import BatchCursor
from engine.storage.files import open_regular
from engine.training.schedule import Finish

if TYPE_CHECKING:
    from engine.training.evaluation import Evaluation  # imports torch

MAX_HEADER_BYTES = 8 * 1024 * 1024
"""A vocabulary of all of Unicode takes 2 MB."""
_NUM_BYTES = {"I64": 8, "F32": 4, "U8": 1}
"""Bytes per element, by the dtypes that a checkpoint may have."""
_METADATA = "__metadata__"
_ALIGNMENT = 8
_ZIP = b"PK\x03\x04"
MIN_VAL_RISE_SHARE = 0.01
"""An evaluation has risen if it is above the best by this share. All read the same tweets: they differ only by the
weights, and successive ones by well under 1 %."""
_Figure = Annotated[float, msgspec.Meta(ge=0, le=1e18)]
"""A loss or bits per character; a valid SHA-256 does not make a file trusted."""
_Size = Annotated[int, msgspec.Meta(ge=0, le=2**48)]


@dataclass(kw_only=True)
class Progress:
    """The steps at which a run last sampled, evaluated and saved, and its latest figures."""

    last_sample_step: Annotated[int, msgspec.Meta(ge=-1, le=2**53)] = -1
    """Step of the feed's last tweet; -1 before the first."""
    num_exact_samples: codec.Count = 0
    """Samples in a row that equalled the only tweet of an overfit run."""
    last_eval_step: codec.StepNumber = 0
    """The untrained model is not evaluated: its loss is ln V."""
    is_eval_early: bool = False
    """Whether that evaluation was on some of the tweets; its figure is not the best then."""
    last_save_step: codec.StepNumber = 0
    """Step at which a `step-N` was last due."""
    total_chars: codec.Count = 0
    """Characters trained on, over all epochs and resumes."""
    train_loss: _Figure | None = None
    """The loss of the last step that was not skipped, nats per character."""
    val_loss: _Figure | None = None
    """The loss of the last evaluation, nats per character; None if that was not finite."""
    bits_per_char: _Figure | None = None
    """Bits per character of the last evaluation."""
    best_bits_per_char: _Figure | None = None
    num_risen: codec.Count = 0
    """The latest evaluations in a row that have risen; early ones do not count."""
    has_returned: bool = False
    """Whether the run has gone back to its best. It does so once: a user who then continues it decides when it ends."""
    finish: Finish | None = None
    """The end of the run and the annealing before it, if one is planned."""

    def __post_init__(self) -> None:
        """Check the finish. Raises `ConfigError`."""
        if self.finish is not None:
            first, last = self.finish.first_step, self.finish.last_step
            require("finish", last, f"not before step {first}", is_valid=0 <= first <= last <= LARGEST)

    def without_figures(self) -> Progress:
        """Return it without losses and evaluations, which do not hold for other tweets."""
        figures: dict[str, Any] = dict.fromkeys(("train_loss", "val_loss", "bits_per_char", "best_bits_per_char"))
        return replace(self, last_eval_step=0, is_eval_early=False, num_risen=0, has_returned=False, **figures)

    def restored_to(self, saved: Progress) -> Progress:
        """Return the steps and figures of a checkpoint; the best of this run, its characters and its finish stay.

        Evaluations that have risen are counted anew.
        """
        return replace(
            saved,
            total_chars=self.total_chars,
            best_bits_per_char=self.best_bits_per_char,
            num_risen=0,
            has_returned=self.has_returned,
            finish=self.finish,
        )

    def record_evaluation(self, step: int, evaluation: Evaluation, *, is_early: bool) -> bool:
        """Record an evaluation at `step`; return whether it is the best so far, which an early one never is.

        One that is not finite leaves no figure for these weights.
        """
        self.last_eval_step, self.is_eval_early = step, is_early
        self.val_loss = self.bits_per_char = None
        if not math.isfinite(evaluation.total_nats):
            self.num_risen = 0
            return False
        self.val_loss, self.bits_per_char = evaluation.nats_per_char, evaluation.bits_per_char
        if is_early:
            return False
        best = math.inf if self.best_bits_per_char is None else self.best_bits_per_char
        self.num_risen = self.num_risen + 1 if self.bits_per_char >= best * (1 + MIN_VAL_RISE_SHARE) else 0
        self.best_bits_per_char = min(best, self.bits_per_char)
        return self.bits_per_char < best


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
    computation: Computation
    step: codec.StepNumber
    position: BatchCursor
    """The next batch."""
    elapsed_seconds: codec.Seconds
    progress: Progress
    is_imported: bool = False
    """Whether it was imported: the files that its `corpus` names are read only if the user names them too."""
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def knows_corpus(self) -> bool:
        """Whether `corpus` is what it was trained on; a model that was imported from a hub's folder lacks it."""
        return self.corpus_digest != ""

    @property
    def is_evaluation_stale(self) -> bool:
        """Whether `val_loss` and `bits_per_char` were measured at an earlier step, `last_eval_step`."""
        return self.progress.bits_per_char is not None and self.progress.last_eval_step != self.step

    @property
    def has_finished(self) -> bool:
        """Whether the run was asked to finish and has reached the last step."""
        return self.progress.finish is not None and self.step >= self.progress.finish.last_step


def _digest_of(text: str) -> str:
    """Return the SHA-256 of a text in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


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
    try:
        return codec.decode(metadata.tweetgen, CheckpointInfo), metadata.tweetgen_sha256
    except codec.DecodeError as error:
        raise damaged(path, str(error)) from error


@contextlib.contextmanager
def open_checkpoint(path: Path) -> Iterator[BinaryIO]:
    """Open a checkpoint file; errors inside the block become a `CheckpointError` that names it."""
    try:
        with open_regular(path) as file:
            if file.read(len(_ZIP)) == _ZIP:
                raise CheckpointError(
                    f"{path} is a zip, as torch.save writes it: a pickle, which could run any code. It is not read.",
                    "`tweetgen-tui checkpoints import` takes checkpoints of this program and folders of `export hub`.",
                )
            file.seek(0)
            yield file
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}.", "Check the name or path.") from error
    except HeaderError as error:
        raise damaged(path, str(error)) from error


def damaged(path: Path, cause: str) -> CheckpointError:
    """Return the error of a damaged checkpoint; `cause` is a clause."""
    return CheckpointError(f"{path} is damaged: {cause}.", "Use another checkpoint; `checkpoints list` shows all.")


class HeaderError(ValueError):
    """The header is not that of a checkpoint; the message is the reason."""


class TensorSpec(msgspec.Struct, frozen=True):
    """Dtype, shape and offsets of one tensor."""

    dtype: str = ""
    shape: Annotated[tuple[_Size, ...], msgspec.Meta(max_length=8)] = ()
    data_offsets: tuple[_Size, _Size] = (0, 0)
    """The first byte and the one after the last, counted from the end of the header."""


class Metadata(msgspec.Struct, frozen=True):
    """The metadata strings of a checkpoint; empty if missing."""

    tweetgen: str = ""
    """`CheckpointInfo` as JSON."""
    tweetgen_info_sha256: str = ""
    tweetgen_sha256: str = ""
    """SHA-256 of the tensors."""

    @classmethod
    def of(cls, info: CheckpointInfo, digest: str) -> Metadata:
        """Return the metadata of a checkpoint; `digest` is the SHA-256 of its tensors."""
        text = codec.encode(info)
        return cls(text, _digest_of(text), digest)


class _OnlyMetadata(msgspec.Struct, frozen=True):
    """Decodes the metadata of a header and skips its tensors."""

    metadata: Metadata = msgspec.field(name=_METADATA, default=Metadata())


class Header(msgspec.Struct, frozen=True):
    """A header whose length and metadata were checked."""

    metadata: Metadata
    text: bytes
    num_data_bytes: int

    @property
    def data_start(self) -> int:
        """Offset of the tensors in the file."""
        return 8 + len(self.text)

    def tensors(self) -> dict[str, TensorSpec]:
        """Return the tensors by name, after checking that they fill the file without a gap. Raises `HeaderError`."""
        tensor_specs = _decoded(self.text, dict[str, TensorSpec])
        tensor_specs.pop(_METADATA, None)
        end = 0
        for spec in sorted(tensor_specs.values(), key=lambda spec: spec.data_offsets):
            first, last = spec.data_offsets
            if spec.dtype not in _NUM_BYTES:
                raise HeaderError("it has tensors of an unsupported type")
            if first != end or last - first != _NUM_BYTES[spec.dtype] * math.prod(spec.shape):
                raise HeaderError("its tensors overlap, or leave a gap")
            end = last
        if end != self.num_data_bytes:
            raise HeaderError(f"it has {self.num_data_bytes:,} bytes of tensors instead of {end:,}")
        return tensor_specs


def read_header(file: BinaryIO) -> Header:
    """Return the header of an open file. Raises `HeaderError`, and `OSError` if the file can't be read."""
    num_file_bytes = os.fstat(file.fileno()).st_size
    num_bytes = int.from_bytes(file.read(8), "little")
    if not 2 <= num_bytes <= num_file_bytes - 8:
        raise HeaderError("it is truncated, or not a checkpoint")
    if num_bytes > MAX_HEADER_BYTES:
        raise HeaderError(f"its header of {num_bytes:,} bytes is too long")
    text = file.read(num_bytes)
    if len(text) != num_bytes:
        raise HeaderError("it is truncated")
    return Header(_decoded(text, _OnlyMetadata).metadata, text, num_file_bytes - 8 - num_bytes)


def encode_header(metadata: Metadata | Mapping[str, str], tensor_specs: Mapping[str, TensorSpec]) -> bytes:
    """Return the start of a file up to its tensors; padded, so that they are aligned."""
    text = codec.encode({_METADATA: metadata, **tensor_specs}).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def _decoded(text: bytes, kind: type[codec.Value]) -> codec.Value:
    """Decode the JSON of a header. Raises `HeaderError`."""
    try:
        return codec.decode(text, kind)
    except codec.DecodeError as error:
        raise HeaderError(f"its header can't be read: {error}") from error
