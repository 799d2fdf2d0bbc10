"""Leases have an exact JSON form."""

from __future__ import annotations

import pytest

from engine.config.corpus import CorpusConfig
from engine.config.run import ModelConfig, TrainingConfig
from engine.corpus.position import Position
from engine.corpus.training_data import KnownVocab
from engine.parallel.leases import Lease, Read, Report, Steps, Stop, Sync, lease_from_json, lease_to_json
from engine.protocol.codec import DecodeError

KNOWN = KnownVocab(chars=("a", "☃", '"', "\\"), trained_digest="0f", max_tweets=3)
LEASES: list[Lease] = [
    Read(corpus=CorpusConfig(files=("/data/é.csv",), weight=(2.0,)), known=KNOWN),
    Read(corpus=CorpusConfig(), known=None),
    Sync(
        model=ModelConfig(dropout=0.1),
        training=TrainingConfig(max_seconds=1 / 3),
        position=Position(epoch=2, batch=5),
        step=7,
        precision="float32",
        has_weights=True,
        generators=("", "00ff"),
    ),
    Steps(learning_rates=(0.1, 1 / 3, 1e-300)),
    Report(has_checksum=True),
    Stop(),
]


@pytest.mark.parametrize("lease", LEASES, ids=lambda lease: type(lease).__name__)
def test_a_lease_survives_its_json(lease: Lease) -> None:
    assert lease_from_json(lease_to_json(lease)) == lease


@pytest.mark.parametrize("line", ["", "{}", '{"lease": "Jump"}', '{"lease": "Steps"}', '{"lease": "Report", "x": [1'])
def test_anything_else_is_no_lease(line: str) -> None:
    with pytest.raises(DecodeError):
        lease_from_json(line)
