"""Leases: what the leader orders the followers to do next. And the followers' replies.

Each is a frozen dataclass with an exact JSON form. All ranks execute the same leases in the same order, so every
collective of one has its counterpart on the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from engine.config.corpus import CorpusConfig
from engine.config.run import ModelConfig, TrainingConfig
from engine.corpus.position import Position
from engine.corpus.training_data import KnownVocab
from engine.protocol import codec


@dataclass(frozen=True, kw_only=True)
class Read:
    """Read the tweets; answered by `TweetsRead`."""

    corpus: CorpusConfig
    known: KnownVocab | None
    """The vocabulary that the one of the run starts with; None: a new one of the tweets."""


@dataclass(frozen=True, kw_only=True)
class Sync:
    """Continue from this state. With `has_weights`, a new trainer receives the leader's state by broadcasts."""

    model: ModelConfig
    training: TrainingConfig
    position: Position
    """Of the next batch, in batches of `training.batch_size`."""
    step: int
    precision: str
    has_weights: bool
    generators: tuple[str, ...] = ()
    """The state of each rank's random generator, in hex, by rank; an empty one is to be seeded by rank and step."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Take a step for each learning rate."""

    learning_rates: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """Report what happened since the last report; answered by `Reported`."""

    has_checksum: bool = False
    has_generator: bool = False


@dataclass(frozen=True, kw_only=True)
class Stop:
    """End. Answered by an empty `Reported`."""


Lease = Read | Sync | Steps | Report | Stop
_LEASES: dict[str, type[Lease]] = {lease_type.__name__: lease_type for lease_type in get_args(Lease)}


@dataclass(frozen=True, kw_only=True)
class TweetsRead:
    """The tweets of one rank, or why it has none."""

    host: str
    digest: str = ""
    problem: str = ""
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class Reported:
    """What a rank reports."""

    seconds: float = 0.0
    """Time since the last report, in which the rank was training."""
    waiting_seconds: float = 0.0
    """The part of it spent in sums over all ranks."""
    device: str = ""
    host: str = ""
    warnings: tuple[str, ...] = ()
    checksum: int = 0
    """Of the weights."""
    generator: str = ""
    """The state of the rank's random generator, in hex."""


def lease_to_json(lease: Lease) -> str:
    """Return a lease as one line: `{"lease": NAME, ...}`."""
    return codec.encode(lease, tag="lease")


def lease_from_json(line: str | bytes) -> Lease:
    """Return the lease that `line` encodes. Raises `engine.protocol.codec.DecodeError`."""
    return codec.decode_tagged(line, "lease", _LEASES)
