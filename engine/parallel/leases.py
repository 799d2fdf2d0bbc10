"""Leases: what the leader orders the followers to do next. And the followers' replies.

Each is a frozen struct with an exact JSON form. All ranks execute the same leases in the same order, so every
collective of one has its counterpart on the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from engine.config.corpus import CorpusConfig
from engine.config.run import ModelConfig, TrainingConfig
from engine.corpus.position import Position
from engine.corpus.training_data import KnownVocab
from engine.protocol import codec


class Lease(msgspec.Struct, frozen=True, kw_only=True, tag_field="lease", tag=True):
    """What all leases have in common."""


class Read(Lease, frozen=True, kw_only=True):
    """Read the tweets; answered by `TweetsRead`."""

    corpus: CorpusConfig
    known: KnownVocab | None
    """The vocabulary that the one of the run starts with; None: a new one of the tweets."""


class Sync(Lease, frozen=True, kw_only=True):
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


class Steps(Lease, frozen=True, kw_only=True):
    """Take a step for each learning rate."""

    learning_rates: tuple[float, ...]


class Report(Lease, frozen=True, kw_only=True):
    """Report what happened since the last report; answered by `Reported`."""

    has_checksum: bool = False
    has_generator: bool = False


class Stop(Lease, frozen=True, kw_only=True):
    """End. Answered by an empty `Reported`."""


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
    return codec.encode(lease)


def lease_from_json(line: str | bytes) -> Lease:
    """Return the lease that `line` encodes. Raises `engine.protocol.codec.DecodeError`."""
    return codec.decode_tagged(line, Lease)
