"""The baselines: as `evaluate --baselines` measures them, in pieces, once per corpus, the simple ones first."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest

from engine.baselines.ngrams import NAMES, baseline_bits
from engine.insight import baselines
from engine.insight.answers import Answer
from engine.insight.baselines import FIRST_ORDER, Baselines
from engine.model.vocab import Vocab
from engine.pieces import Pieces, run_to_end
from engine.protocol.commands import MeasureBaselines
from engine.protocol.events import BaselinesMeasured
from tests.engine.helpers import encoded_with, small_tweets, vocab_of

TWEETS = small_tweets(60)
VOCAB = vocab_of(TWEETS)
TRAIN, HELD_OUT = encoded_with(VOCAB, TWEETS[:50]), encoded_with(VOCAB, TWEETS[50:])
DIGEST = "of the training tweets"


def unmeasured(train_digest: str = DIGEST) -> Baselines:
    return Baselines(TRAIN, train_digest, HELD_OUT, VOCAB)


def fields_of(baselines: Baselines, request: int = 0) -> list[dict[str, Any]]:
    """Return the fields of the answers, each of which is a `BaselinesMeasured`."""
    answers: list[Answer] = []
    run_to_end(baselines.job(MeasureBaselines(request=request), answers.append))
    assert {event_type for event_type, _ in answers} == {BaselinesMeasured}
    return [fields for _, fields in answers]


def num_pieces(baselines: Baselines) -> int:
    return len(list(baselines.job(MeasureBaselines(), lambda _: None)))


def test_a_first_answer_has_the_simple_baselines_and_the_next_all_with_their_final_bits() -> None:
    first, complete = fields_of(unmeasured(), request=4)
    assert (complete["request"], first["is_complete"], complete["is_complete"]) == (4, False, True)
    assert first["names"] == ("uniform", "unigram", "2-gram")
    assert complete["names"][:4] == ("uniform", "unigram", "2-gram", "3-gram")
    bits = baseline_bits(TRAIN, HELD_OUT, len(VOCAB))
    assert complete["bits_per_char"] == pytest.approx([bits[name] for name in NAMES], abs=1e-4)
    assert first["bits_per_char"] == complete["bits_per_char"][: FIRST_ORDER + 1]


def test_the_baselines_are_measured_once_even_if_an_answer_is_abandoned() -> None:
    whole, measured = num_pieces(unmeasured("other tweets")), unmeasured()
    first = measured.job(MeasureBaselines(), lambda _: None)
    next(first)
    first.close()
    assert num_pieces(measured) == whole - 1 > 5
    assert num_pieces(measured) == 0


def test_baselines_of_an_earlier_run_on_the_same_tweets_are_the_only_answer_and_no_work() -> None:
    complete = fields_of(unmeasured())[-1]
    assert fields_of(unmeasured()) == [complete]
    assert num_pieces(unmeasured()) == 0


@pytest.mark.parametrize("other", ["training tweets", "validation tweets", "vocabulary"])
def test_other_tweets_or_another_vocabulary_are_measured_by_themselves(other: str) -> None:
    fields_of(unmeasured())
    vocab = Vocab(VOCAB.chars[:-1]) if other == "vocabulary" else VOCAB
    held_out = encoded_with(vocab, TWEETS[51:] if other == "validation tweets" else TWEETS[50:])
    digest = "of others" if other == "training tweets" else DIGEST
    assert num_pieces(Baselines(encoded_with(vocab, TWEETS[:50]), digest, held_out, vocab)) > 5


def failing(*_: object, **__: object) -> Pieces[dict[str, float]]:
    yield
    raise MemoryError


def test_after_an_error_the_baselines_are_measured_again_for_the_other_questions() -> None:
    measured, answers = unmeasured(), list[Answer]()
    first, second = (measured.job(MeasureBaselines(request=number), answers.append) for number in (1, 2))
    with mock.patch.object(baselines, "baseline_pieces", failing):
        next(first)
        with pytest.raises(MemoryError):
            next(second)
    run_to_end(first)
    assert [fields["request"] for _, fields in answers] == [1, 1]
    assert len(answers[-1][1]["bits_per_char"]) == len(NAMES)
