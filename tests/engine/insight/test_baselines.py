"""The baselines: as `evaluate --baselines` measures them, in pieces, once."""

from __future__ import annotations

from unittest import mock

import pytest

from engine.baselines.ngrams import NAMES, baseline_bits
from engine.insight import baselines
from engine.insight.baselines import Baselines
from engine.pieces import run_to_end
from engine.protocol.commands import MeasureBaselines
from engine.protocol.events import BaselinesMeasured
from tests.engine.helpers import encoded_with, small_tweets, vocab_of

TWEETS = small_tweets(60)
VOCAB = vocab_of(TWEETS)
TRAIN, HELD_OUT = encoded_with(VOCAB, TWEETS[:50]), encoded_with(VOCAB, TWEETS[50:])


@pytest.fixture
def measured() -> Baselines:
    return Baselines(TRAIN, HELD_OUT, len(VOCAB))


def test_the_answer_has_the_bits_of_all_baselines_from_the_simplest_on(measured: Baselines) -> None:
    event_type, fields = run_to_end(measured.job(MeasureBaselines(request=4)))

    assert (event_type, fields["request"]) == (BaselinesMeasured, 4)
    assert fields["names"][:4] == ("uniform", "unigram", "2-gram", "3-gram")
    bits = baseline_bits(TRAIN, HELD_OUT, len(VOCAB))
    assert fields["bits_per_char"] == pytest.approx([bits[name] for name in NAMES], abs=1e-4)


def test_the_baselines_are_measured_once_even_if_an_answer_is_abandoned(measured: Baselines) -> None:
    whole = list(Baselines(TRAIN, HELD_OUT, len(VOCAB)).job(MeasureBaselines()))

    first = measured.job(MeasureBaselines())
    next(first)
    first.close()

    assert len(list(measured.job(MeasureBaselines()))) == len(whole) - 1 > 5
    assert list(measured.job(MeasureBaselines())) == []


def test_after_an_error_the_baselines_are_measured_again(measured: Baselines) -> None:
    with (
        mock.patch.object(baselines, "baseline_pieces", side_effect=MemoryError),
        pytest.raises(MemoryError),
    ):
        run_to_end(measured.job(MeasureBaselines()))

    assert len(run_to_end(measured.job(MeasureBaselines()))[1]["bits_per_char"]) == len(NAMES)
