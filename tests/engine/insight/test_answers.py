"""Answers are complete, bounded, finite and harmless, whatever is asked; invalid questions are refused.

So are those of a checkpoint, the map of the characters, and the baselines, which are measured once per corpus.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from engine.checkpoints.checkpoint import load_checkpoint
from engine.compute.stepper import HeldUnit
from engine.config.sampling import SamplingConfig
from engine.corpus.arrays import EncodedTweets
from engine.corpus.corpus import load_corpus
from engine.errors import CheckpointError, ConfigError, CorpusError, DivergedError
from engine.insight import answers, baselines, learned, reach
from engine.insight.answers import Answer, CheckpointAnswers
from engine.insight.baselines import FIRST_ORDER, Baselines
from engine.insight.learned import map_embeddings
from engine.insight.snapshot import ExplicitGru, Snapshot, frozen
from engine.insight.trace import trace
from engine.model.gru import TextGenerator
from engine.model.vocab import EOS, UNK, UNKNOWN_CHAR_BITS, Vocab
from engine.protocol import codec, insight
from engine.protocol import events as e
from engine.protocol.progress import CooperativeTask, run_to_end
from engine.sampling.queries import COMPLETION_CHARS, score_chars
from engine.sampling.sampler import TweetSampler
from engine.storage.folders import find_run
from engine.text import sanitize_in_place, sanitize_line
from engine.training.baselines import NAMES, baseline_bits
from tests.engine.helpers import encoded_with, run_session, small_tweets, tiny_config, vocab_of, write_corpus
from tests.engine.insight.test_numerics import TEXT, VOCAB, small_model
from tests.strategies import hostile_text

MODEL = small_model(2)
EACH = (
    insight.TraceText(text=TEXT),
    insight.TraceText(text=TEXT, own_from=3),
    insight.MeasureReach(text=TEXT, position=4),
    insight.MeasureReach(text=TEXT, position=4, method="gradient"),
    insight.ScoreUnits(),
    insight.HoldUnit(text=TEXT, layer=0, unit=1, value=0.5),
    insight.MapEmbeddings(),
)
SAMPLING = SamplingConfig(temperature=0.7, top_p=0.95, max_length=24)


def held_out() -> EncodedTweets:
    """Return a few tweets."""
    return encoded_with(VOCAB, small_tweets(30))


def asked(model: TextGenerator = MODEL, vocab: Vocab = VOCAB) -> Snapshot:
    """Return what is asked about a model at step 7."""
    return Snapshot(model, vocab, held_out, SAMPLING, 7)


def answer(command: insight.Insight, model: TextGenerator = MODEL, vocab: Vocab = VOCAB) -> Any:
    """Return the event that answers a question, which survives JSON."""
    event_type, fields = run_to_end(answers.answer(asked(model, vocab), command))
    event: Any = event_type(step=9, elapsed_seconds=1.0, **fields)
    assert e.from_json(codec.encode(event)) == event
    assert (event.request, event.weights_step) == (command.request, 7)
    return event


@given(
    text=hostile_text(6).map(lambda text: text[:16] or " "),
    layer=st.integers(0, 1),
    own_share=st.none() | st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_a_trace_has_an_entry_per_input(text: str, layer: int, own_share: float | None, seed: int) -> None:
    own_from = None if own_share is None else int(own_share * len(text))
    event = answer(insight.TraceText(text=text, request=3, layer=layer, own_from=own_from, seed=seed))
    size = len(text)
    assert (event.layer, event.num_layers) == (layer, 2)
    assert (event.embedding_size, event.hidden_size, event.vocab_size) == (6, 8, len(VOCAB))
    assert event.text == sanitize_in_place(text)
    assert event.token_ids == (1, *VOCAB.encode(text))
    assert [char.char for char in event.chars] == [*event.text, ""] or text != event.text
    rows = (event.chars, event.gates, event.embedding_bands, event.reset_bands, event.update_bands)
    assert [len(each) for each in (*rows, event.candidate_bands, event.hidden_bands)] == [size + 1] * 6 + [size + 2]
    if own_from is not None:
        assert event.own.first == own_from
        assert event.own.text[:own_from] == event.text[:own_from]
        assert len(event.own.chars) == len(event.own.hidden_bands) - 1 == len(event.own.text) + 1


def test_the_predictions_of_a_trace_are_the_scores_of_the_text_and_their_mean_its_loss() -> None:
    event = answer(insight.TraceText(text=TEXT))
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
    after = [math.exp(each) for each in event.next_log_probs]
    likeliest = [chance.probability for chance in event.chars[-1].likeliest]
    assert after[: len(likeliest)] == pytest.approx(likeliest, abs=1e-3)
    assert len(after) == event.vocab_size - 3
    assert 0.5 < sum(after) < 1.001
    assert after == sorted(after, reverse=True)


@pytest.mark.parametrize("first", [0, 4, 12])
def test_own_draws_are_the_tweet_sampled_with_that_prime(first: int) -> None:
    text = "the cat hugs tea and"[: first + 1]
    event = answer(insight.TraceText(text=text, own_from=first, seed=11))
    sampling = replace(SAMPLING, prime=text[:first], max_length=first + COMPLETION_CHARS)
    [tweet] = TweetSampler(MODEL, VOCAB, sampling, [11]).results()
    assert (event.own.text, event.own.reached_eos) == (tweet.text, tweet.reached_eos)
    found = [char.bits for char in event.own.chars[: len(tweet.char_bits)]]
    assert found == pytest.approx(tweet.char_bits, abs=0.02)


def test_own_draws_continue_the_longest_text_and_unknown_characters() -> None:
    text = ("☃ the cat " * 60)[: insight.MAX_TRACED_CHARS]
    own = answer(insight.TraceText(text=text, own_from=len(text))).own.text
    assert own.startswith(text)
    assert len(own) <= len(text) + COMPLETION_CHARS


def test_reach_and_units_have_the_figures_of_the_text_and_of_the_held_out_tweets() -> None:
    measures: dict[insight.ReachMethod, Any] = {"occlusion": reach.occlusion, "gradient": reach.gradient}
    for (method, measure), position in product(measures.items(), (0, 7, len(TEXT))):
        event = answer(insight.MeasureReach(text=TEXT, position=position, request=2, method=method))
        expected = run_to_end(measure(ExplicitGru(MODEL), VOCAB.encode(TEXT), position))
        assert (event.text, event.position, event.method) == (TEXT, position, method)
        assert event.scores == pytest.approx(expected.tolist(), abs=1e-5)
    event, tweets = answer(insight.ScoreUnits(request=4)), held_out()
    correlation = run_to_end(learned.correlate(ExplicitGru(MODEL), VOCAB, tweets, np.arange(len(tweets))))
    assert (event.num_tweets, event.num_chars) == (30, len(tweets.token_ids))
    assert event.units == learned.best_units(correlation.result(), 8) != ()


@pytest.mark.parametrize("layer", [0, 1])
def test_a_held_unit_changes_predictions_and_samples_but_not_its_own_activations(layer: int) -> None:
    free = answer(insight.HoldUnit(text=TEXT, layer=layer, unit=3, seed=20))
    traced = run_to_end(trace(ExplicitGru(MODEL), VOCAB.encode(TEXT)))
    assert free.activations == pytest.approx(traced.layers[layer].hidden[1:, 3].tolist(), abs=1e-3)
    assert free.chars == answer(insight.TraceText(text=TEXT)).chars
    samples = TweetSampler(MODEL, VOCAB, SAMPLING, range(20, 20 + learned.NUM_SAMPLES)).results()
    assert free.tweets == tuple(sanitize_line(tweet.text) for tweet in samples)

    event = answer(insight.HoldUnit(text=TEXT, layer=layer, unit=3, value=-1.0, seed=20))
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
    [tweet, *_] = run_to_end(learned.sample_held(asked(), 5, HeldUnit(1, 2, 0.9)))
    chars = answer(insight.HoldUnit(text=tweet.text, layer=1, unit=2, value=0.9)).chars
    assert [char.bits for char in chars[: len(tweet.char_bits)]] == pytest.approx(tweet.char_bits, abs=0.02)


def test_the_map_has_the_most_frequent_characters_in_the_order_of_the_vocabulary() -> None:
    vocab = Vocab(map(chr, range(0x4E00, 0x4E00 + 230)))
    model = small_model(1, vocab)
    event = answer(insight.MapEmbeddings(request=6), model, vocab)
    found = map_embeddings(model.embed.weight)
    assert event.num_chars == 230
    assert "".join(point.char for point in event.points) == "".join(vocab.chars[:200])
    assert [point.y for point in event.points] == pytest.approx(found.points[:200, 1].tolist(), abs=1e-5)
    assert event.variance_shares == pytest.approx(found.variance_shares.tolist(), abs=1e-3)


INVALID: tuple[insight.Insight, ...] = (
    *(insight.TraceText(text=text) for text in ("", "x" * 501)),
    *(insight.TraceText(text="abc", layer=layer) for layer in (2, -1)),
    *(insight.TraceText(text="abc", own_from=first) for first in (4, -1)),
    insight.TraceText(text="abc", own_from=0, seed=-1),
    *(insight.MeasureReach(text=text, position=0) for text in ("", "x" * 501)),
    *(insight.MeasureReach(text="abc", position=position) for position in (4, -1)),
    *(insight.HoldUnit(text=text, layer=0, unit=0) for text in ("", "x" * 501)),
    insight.HoldUnit(text="abc", layer=2, unit=0),
    *(insight.HoldUnit(text="abc", layer=0, unit=unit) for unit in (8, -1)),
    *(insight.HoldUnit(text="abc", layer=0, unit=0, value=value) for value in (1.01, math.nan)),
    insight.HoldUnit(text="abc", layer=0, unit=0, seed=-1),
)


def test_an_invalid_question_is_refused_before_any_work(snapshot: SnapshotAssertion) -> None:
    refusals = []
    for command in INVALID:
        with pytest.raises(ConfigError) as error:
            next(answers.answer(asked(), command))
        refusals.append(f"{type(command).__name__}: {error.value.message} {error.value.hint}")
    assert "\n".join(refusals) == snapshot


@pytest.mark.parametrize("command", EACH)
def test_an_answer_draws_and_changes_nothing_and_a_non_finite_model_raises(command: insight.Insight) -> None:
    state = torch.get_rng_state()
    for _ in answers.answer(asked(), command):
        assert torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), state)
    for spoiled in (math.nan, math.inf):
        model = small_model(2)
        model.proj.bias[EOS] = model.get_parameter("rnn.weight_hh_l1")[0, 0] = model.embed.weight[-1] = spoiled
        with pytest.raises(DivergedError):
            answer(command, model)


EMBEDDING = torch.randn(40, 7, generator=torch.Generator().manual_seed(3)) * torch.tensor([3.0, 2, 1, 1, 0.5, 0.5, 0.1])


def test_places_and_shares_are_those_of_a_singular_value_decomposition_without_the_special_symbols() -> None:
    chars = EMBEDDING[4:].double()
    centred = chars - chars.mean(dim=0)
    left, sizes, _ = torch.linalg.svd(centred, full_matrices=False)
    found = map_embeddings(EMBEDDING)
    assert torch.allclose(found.points.abs(), (left * sizes)[:, :2].abs(), atol=1e-9)
    assert torch.allclose(found.variance_shares, sizes[:2].square() / sizes.square().sum(), atol=1e-9)
    assert torch.equal(map_embeddings(EMBEDDING.clone()).points, found.points)


def test_frequent_characters_are_on_the_positive_side() -> None:
    for sign in (1, -1):
        line = torch.zeros(9, 3)
        line[4:, 1] = sign * torch.arange(5.0)
        line[4:, 0] = -0.5 * sign * torch.arange(5.0)
        places = map_embeddings(line).points[:, 0].tolist()
        assert places == pytest.approx([1.25**0.5 * place for place in (2, 1, 0, -1, -2)], abs=1e-6)


def test_few_or_equal_embeddings_give_finite_places() -> None:
    equal = torch.full((12, 6), 0.3)
    for embedding in (EMBEDDING[:5, :3], EMBEDDING[:30, :1], EMBEDDING[:30, :2], equal):
        found = map_embeddings(embedding)
        assert found.points.shape == (len(embedding) - 4, 2)
        assert found.points.isfinite().all()
        assert found.variance_shares.isfinite().all()
        assert found.variance_shares.sum() <= 1 + 1e-9
    assert map_embeddings(equal).points.abs().max() < 1e-6, "at the centre"


def test_a_checkpoint_answers_as_its_model_at_its_step_and_reads_tweets_only_to_score_units(home: Path) -> None:
    run_session(tiny_config(write_corpus(home), average_lag=0.25, num_layers=2))
    saved, foreign = find_run("tiny").checkpoint_path("latest"), home / "elsewhere.safetensors"
    checkpoint = load_checkpoint(saved)
    assert checkpoint.info.training.average_lag == 0.25
    validation = EncodedTweets.from_flat(load_corpus(checkpoint.info.corpus).validation, checkpoint.vocab)
    model = frozen(checkpoint.to_model(torch.device("cpu")))
    snapshot = Snapshot(model, checkpoint.vocab, lambda: validation, checkpoint.info.sampling, 12)
    state = torch.get_rng_state()
    from_file = CheckpointAnswers(saved)
    for question in EACH:
        event_type, fields = run_to_end(answers.answer(snapshot, question))
        expected = event_type(step=12, elapsed_seconds=checkpoint.info.elapsed_seconds, **fields)
        assert from_file.answer(question) == expected
    assert torch.equal(torch.get_rng_state(), state)
    with pytest.raises(ConfigError):
        from_file.answer(insight.TraceText(text=""))

    foreign.write_bytes(saved.read_bytes())
    with pytest.raises(CheckpointError, match="comes from elsewhere"):
        CheckpointAnswers(foreign).answer(insight.ScoreUnits())
    (home / "small.txt").unlink()
    with pytest.raises(CorpusError, match=r"small\.txt"):
        CheckpointAnswers(saved).answer(insight.ScoreUnits())
    for question in EACH:
        if not isinstance(question, insight.ScoreUnits):
            assert CheckpointAnswers(foreign).answer(question) == from_file.answer(question)


TWEETS = small_tweets()
ALL_CHARS = vocab_of(TWEETS)


def unmeasured(train_digest: str = "of the training tweets", first: int = 50, vocab: Vocab = ALL_CHARS) -> Baselines:
    """Return the baselines of a corpus whose validation tweets begin with number `first`."""
    return Baselines(encoded_with(vocab, TWEETS[:50]), train_digest, encoded_with(vocab, TWEETS[first:]), vocab)


def measured_by(measured: Baselines, request: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Return the fields of the answers, each of which is a `BaselinesMeasured`, and the pieces of the work."""
    answers: list[Answer] = []
    num_pieces = len(list(measured.job(insight.MeasureBaselines(request=request), answers.append)))
    assert {event_type for event_type, _ in answers} == {insight.BaselinesMeasured}
    return [fields for _, fields in answers], num_pieces


def test_a_first_answer_has_the_simple_baselines_and_the_next_all_as_evaluate_measures_them() -> None:
    (first, complete), _ = measured_by(unmeasured(), request=4)
    assert (complete["request"], first["is_complete"], complete["is_complete"]) == (4, False, True)
    assert first["names"] == ("uniform", "unigram", "2-gram")
    assert complete["names"][:4] == ("uniform", "unigram", "2-gram", "3-gram")
    train, validation = (encoded_with(ALL_CHARS, each) for each in (TWEETS[:50], TWEETS[50:]))
    bits = baseline_bits(train, validation, len(ALL_CHARS))
    assert complete["bits_per_char"] == pytest.approx([bits[name] for name in NAMES], abs=1e-4)
    assert first["bits_per_char"] == complete["bits_per_char"][: FIRST_ORDER + 1]


def test_baselines_are_measured_once_per_corpus_even_if_an_answer_is_abandoned_or_the_run_ends() -> None:
    (_, whole), measured = measured_by(unmeasured("of other tweets")), unmeasured()
    first = measured.job(insight.MeasureBaselines(), lambda _: None)
    next(first)
    first.close()
    assert measured_by(measured)[1] == whole - 1 > 5
    assert measured_by(measured)[1] == 0
    assert measured_by(unmeasured()) == measured_by(measured), "they were stored"
    others = [unmeasured("of others"), unmeasured(first=51), unmeasured(vocab=Vocab(ALL_CHARS.chars[:-1]))]
    assert [measured_by(other)[1] > 5 for other in others] == [True] * 3


def failing(*_: object, **__: object) -> CooperativeTask[dict[str, float]]:
    yield
    raise MemoryError


def test_after_an_error_the_baselines_are_measured_again_for_the_other_questions() -> None:
    measured, answers = unmeasured(), list[Answer]()
    first, second = (measured.job(insight.MeasureBaselines(request=number), answers.append) for number in (1, 2))
    with mock.patch.object(baselines, "baseline_pieces", failing):
        next(first)
        with pytest.raises(MemoryError):
            next(second)
    run_to_end(first)
    assert [fields["request"] for _, fields in answers] == [1, 1]
    assert len(answers[-1][1]["bits_per_char"]) == len(NAMES)
