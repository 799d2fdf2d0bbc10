"""Answers are complete, bounded, finite and harmless, whatever is asked; invalid questions are refused."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.config.sampling import SamplingConfig
from engine.corpus.encoded_tweets import EncodedTweets
from engine.errors import ConfigError, DivergedError
from engine.insight.answers import Answers, snapshot
from engine.insight.embedding_map import map_embeddings
from engine.insight.explicit_gru import ExplicitGru
from engine.insight.holding import NUM_TWEETS, sample_held
from engine.insight.reach import gradient, occlusion
from engine.insight.trace import trace
from engine.insight.units import best_units, correlate
from engine.model.gru import TextGenerator
from engine.model.vocab import UNK, UNKNOWN_CHAR_BITS, Vocab
from engine.pieces import run_to_end
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.commands import MAX_TRACED_CHARS, Insight
from engine.sampling.queries import COMPLETION_CHARS, score_chars
from engine.sampling.sampler import sample_tweets
from engine.sampling.stepper import HeldUnit
from engine.text import harmless, harmless_in_place
from tests.engine.helpers import encoded_with, small_tweets
from tests.engine.insight.models import TEXT, VOCAB, small_model
from tests.strategies import hostile_text

MODEL = small_model(2)
EACH = (
    c.TraceText(text=TEXT, own_from=3),
    c.MeasureReach(text=TEXT, position=4),
    c.MeasureReach(text=TEXT, position=4, method="gradient"),
    c.ScoreUnits(),
    c.HoldUnit(text=TEXT, layer=0, unit=1, value=0.5),
    c.MapEmbeddings(),
)
SAMPLING = SamplingConfig(temperature=0.7, top_p=0.95, max_length=24)


def held_out() -> EncodedTweets:
    """Return a few tweets."""
    return encoded_with(VOCAB, small_tweets(30))


def answer(command: Insight, model: TextGenerator = MODEL, vocab: Vocab = VOCAB) -> Any:
    """Return the event that answers a question, which survives JSON."""
    event_type, fields = run_to_end(Answers(model, vocab, held_out, SAMPLING, weights_step=7).job(command))
    event: Any = event_type(step=9, elapsed_seconds=1.0, **fields)
    assert e.from_json(e.to_json(event)) == event
    assert (event.request, event.weights_step) == (command.request, 7)
    return event


texts = hostile_text(6).map(lambda text: text[:16] or " ")


@given(text=texts, layer=st.integers(0, 1), own_share=st.none() | st.floats(0, 1), seed=st.integers(0, 99))
def test_a_trace_has_an_entry_per_input(text: str, layer: int, own_share: float | None, seed: int) -> None:
    own_from = None if own_share is None else int(own_share * len(text))
    event = answer(c.TraceText(text=text, request=3, layer=layer, own_from=own_from, seed=seed))
    size = len(text)
    assert (event.layer, event.num_layers) == (layer, 2)
    assert (event.embedding_size, event.hidden_size, event.vocab_size) == (6, 8, len(VOCAB))
    assert event.text == harmless_in_place(text)
    assert event.token_ids == (1, *VOCAB.encode(text))
    assert [char.char for char in event.chars] == [*event.text, ""] or text != event.text
    rows = (event.chars, event.gates, event.embedding_bands, event.reset_bands, event.update_bands)
    assert [len(each) for each in (*rows, event.candidate_bands, event.hidden_bands)] == [size + 1] * 6 + [size + 2]
    if own_from is not None:
        assert event.own.first == own_from
        assert event.own.text[:own_from] == event.text[:own_from]
        assert len(event.own.chars) == len(event.own.hidden_bands) - 1 == len(event.own.text) + 1


def test_the_predictions_of_a_trace_are_the_scores_of_the_text_and_their_mean_is_its_loss() -> None:
    event = answer(c.TraceText(text=TEXT))
    expected = score_chars(MODEL, VOCAB, TEXT)
    assert [char.char for char in event.chars] == [char.char for char in expected]
    assert [char.bits for char in event.chars] == pytest.approx([char.bits for char in expected], abs=2e-3)
    for one, other in zip(event.chars, expected, strict=True):
        probabilities = [[chance.probability for chance in char.likeliest] for char in (one, other)]
        assert probabilities[0] == pytest.approx(probabilities[1], abs=2e-4)
    assert UNK in event.token_ids
    bits = sum(char.bits for char in event.chars) - UNKNOWN_CHAR_BITS * event.token_ids.count(UNK)  # no surcharge
    assert event.stepwise_loss == pytest.approx(event.sequence_loss, abs=1e-5)
    assert event.stepwise_loss == pytest.approx(bits / len(event.chars) * math.log(2), abs=1e-3)


def test_the_probabilities_after_the_text_are_those_of_the_likeliest_and_of_all_others() -> None:
    event = answer(c.TraceText(text=TEXT))
    probabilities = [math.exp(each) for each in event.next_log_probs]
    likeliest = [chance.probability for chance in event.chars[-1].likeliest]
    assert probabilities[: len(likeliest)] == pytest.approx(likeliest, abs=1e-3)
    assert len(probabilities) == event.vocab_size - 3
    assert 0.5 < sum(probabilities) < 1.001
    assert probabilities == sorted(probabilities, reverse=True)


@pytest.mark.parametrize("first", [0, 4, 12])
def test_own_draws_are_the_tweet_sampled_with_that_prime(first: int) -> None:
    text = "the cat hugs tea and"[: first + 1]
    event = answer(c.TraceText(text=text, own_from=first, seed=11))
    sampling = replace(SAMPLING, prime=text[:first], max_length=first + COMPLETION_CHARS)
    [tweet] = sample_tweets(MODEL, VOCAB, sampling, [11])
    assert (event.own.text, event.own.reached_eos) == (tweet.text, tweet.reached_eos)
    found = [char.bits for char in event.own.chars[: len(tweet.char_bits)]]
    assert found == pytest.approx(tweet.char_bits, abs=0.02)


def test_own_draws_continue_the_longest_text_and_unknown_characters() -> None:
    text = ("☃ the cat " * 60)[:MAX_TRACED_CHARS]
    own = answer(c.TraceText(text=text, own_from=len(text))).own
    assert own.text[: len(text)] == text
    assert len(text) <= len(own.text) <= len(text) + COMPLETION_CHARS


@pytest.mark.parametrize("method", ["occlusion", "gradient"])
@pytest.mark.parametrize("position", [0, 7, len(TEXT)])
def test_reach_has_a_score_per_input_before_the_target(position: int, method: e.ReachMethod) -> None:
    event = answer(c.MeasureReach(text=TEXT, position=position, request=2, method=method))
    measure = occlusion if method == "occlusion" else gradient
    expected = run_to_end(measure(ExplicitGru(MODEL), VOCAB.encode(TEXT), position))
    assert (event.text, event.position, event.method) == (TEXT, position, method)
    assert event.scores == pytest.approx(expected.tolist(), abs=1e-5)


def test_the_scores_of_units_are_those_of_the_held_out_tweets() -> None:
    event = answer(c.ScoreUnits(request=4))
    tweets = held_out()
    correlation = run_to_end(correlate(ExplicitGru(MODEL), VOCAB, tweets, np.arange(len(tweets))))
    assert (event.num_tweets, event.num_chars) == (30, len(tweets.token_ids))
    assert event.units == best_units(correlation.result(), 8) != ()


@pytest.mark.parametrize("layer", [0, 1])
def test_a_held_unit_changes_predictions_and_samples_but_not_its_own_activations(layer: int) -> None:
    free = answer(c.HoldUnit(text=TEXT, layer=layer, unit=3, seed=20))
    traced = run_to_end(trace(ExplicitGru(MODEL), VOCAB.encode(TEXT)))
    assert free.activations == pytest.approx(traced.layers[layer].hidden[1:, 3].tolist(), abs=1e-3)
    assert free.chars == answer(c.TraceText(text=TEXT)).chars
    samples = sample_tweets(MODEL, VOCAB, SAMPLING, range(20, 20 + NUM_TWEETS))
    assert free.tweets == tuple(harmless(tweet.text) for tweet in samples)

    event = answer(c.HoldUnit(text=TEXT, layer=layer, unit=3, value=-1.0, seed=20))
    held = run_to_end(trace(ExplicitGru(MODEL), VOCAB.encode(TEXT), HeldUnit(layer, 3, -1.0)))
    bits = [
        -float(row[target]) / math.log(2) + UNKNOWN_CHAR_BITS * (target == UNK)
        for row, target in zip(held.log_probs, held.targets, strict=True)
    ]
    assert [char.bits for char in event.chars] == pytest.approx(bits, abs=1e-3)
    assert (event.layer, event.unit, event.value) == (layer, 3, -1.0)
    assert event.activations == free.activations
    assert event.chars != free.chars
    assert event.tweets != free.tweets


def test_held_samples_are_drawn_from_the_predictions_of_the_held_model() -> None:
    [tweet, *_] = run_to_end(sample_held(MODEL, VOCAB, SAMPLING, 5, HeldUnit(1, 2, 0.9)))
    chars = answer(c.HoldUnit(text=tweet.text, layer=1, unit=2, value=0.9)).chars
    assert [char.bits for char in chars[: len(tweet.char_bits)]] == pytest.approx(tweet.char_bits, abs=0.02)


def test_the_map_has_the_most_frequent_characters_in_the_order_of_the_vocabulary() -> None:
    vocab = Vocab(map(chr, range(0x4E00, 0x4E00 + 230)))
    model = small_model(1, vocab)
    event = answer(c.MapEmbeddings(request=6), model, vocab)
    found = map_embeddings(model.embed.weight)
    assert event.num_chars == 230
    assert "".join(point.char for point in event.points) == "".join(vocab.chars[:200])
    assert [point.y for point in event.points] == pytest.approx(found.points[:200, 1].tolist(), abs=1e-5)
    assert event.variance_shares == pytest.approx(found.variance_shares.tolist(), abs=1e-3)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (c.TraceText(text=""), "no text"),
        (c.TraceText(text="x" * 501), "501 characters"),
        (c.TraceText(text="abc", layer=2), "from 0 to 1, not 2"),
        (c.TraceText(text="abc", layer=-1), "from 0 to 1, not -1"),
        (c.TraceText(text="abc", own_from=4), "from 0 to 3, not 4"),
        (c.TraceText(text="abc", own_from=-1), "from 0 to 3, not -1"),
        (c.TraceText(text="abc", own_from=0, seed=-1), "at least 0"),
        (c.MeasureReach(text="", position=0), "no text"),
        (c.MeasureReach(text="x" * 501, position=0), "501 characters"),
        (c.MeasureReach(text="abc", position=4), "from 0 to 3, not 4"),
        (c.MeasureReach(text="abc", position=-1), "from 0 to 3, not -1"),
        (c.HoldUnit(text="", layer=0, unit=0), "no text"),
        (c.HoldUnit(text="abc", layer=2, unit=0), "from 0 to 1, not 2"),
        (c.HoldUnit(text="abc", layer=0, unit=8), "from 0 to 7, not 8"),
        (c.HoldUnit(text="abc", layer=0, unit=-1), "from 0 to 7, not -1"),
        (c.HoldUnit(text="abc", layer=0, unit=0, value=1.01), "not 1.01"),
        (c.HoldUnit(text="abc", layer=0, unit=0, value=math.nan), "not nan"),
        (c.HoldUnit(text="abc", layer=0, unit=0, seed=-1), "at least 0"),
    ],
)
def test_an_invalid_question_is_refused_before_any_work(command: Insight, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as error:
        Answers(MODEL, VOCAB, held_out, SAMPLING, weights_step=7).job(command)
    assert error.value.hint


@pytest.mark.parametrize("command", EACH)
def test_an_answer_uses_no_random_number_of_the_run_and_changes_no_mode_and_a_non_finite_model_raises(
    command: Insight,
) -> None:
    state = torch.get_rng_state()
    for _ in Answers(MODEL, VOCAB, held_out, SAMPLING, weights_step=7).job(command):
        assert torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), state)
    model = small_model(2)
    for parameter in model.parameters():
        parameter[0] = math.nan
    model.embed.weight[-1] = math.nan
    with pytest.raises(DivergedError):
        answer(command, model)


def test_a_snapshot_keeps_the_weights_of_its_moment_and_the_random_state() -> None:
    model = TextGenerator(9, 8, 8, 2, dropout=0.5, tied_embeddings=True)
    state = torch.get_rng_state()
    copied = snapshot(model)
    assert torch.equal(torch.get_rng_state(), state)
    assert copied.embed.weight is copied.proj.weight
    assert not copied.training
    assert not any(parameter.requires_grad for parameter in copied.parameters())
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    before = copied.embed.weight.clone()
    with torch.no_grad():
        model.embed.weight.add_(1)
    assert torch.equal(copied.embed.weight, before)
