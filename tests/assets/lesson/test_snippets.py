"""Each snippet of the lesson runs, and gets the numbers of the engine."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from assets.lesson import stop_1, stop_2, stop_3, stop_4, stop_5, stop_6, stop_7, stop_8
from engine.compute.cpu.step import GruStep
from engine.config.run import ModelConfig
from engine.config.sampling import SamplingConfig
from engine.corpus.arrays import EncodedTweets, FlatTweets
from engine.model.gru import TextGenerator
from engine.model.vocab import BOS, EOS, SPECIALS, UNK, Vocab
from engine.sampling.logits import next_char_weights
from engine.training.baselines import baseline_bits
from tui.lesson.stops import STOPS

TWEETS = ["good morning @anna!", "so happy :)", "what a day, what a view", "hi", "love this song"]
VOCAB = Vocab.from_counts(Counter("".join(TWEETS)))
SIZES = (len(VOCAB), 12, 18)
FOLDER = Path(stop_1.__file__).parent


@pytest.fixture
def model() -> TextGenerator:
    torch.manual_seed(0)
    return TextGenerator(*SIZES)


def encoded(tweet: str) -> Tensor:
    return torch.tensor([BOS, *VOCAB.encode(tweet), EOS])


def test_the_screen_shows_the_files_that_are_tested_and_each_fits_a_dialog() -> None:
    for stop in STOPS:
        code = stop.code
        assert code == (FOLDER / f"stop_{stop.number}.py").read_text(encoding="utf-8")
        assert len(code.splitlines()) <= 40
        assert max(map(len, code.splitlines())) <= 120


def test_ids_are_those_of_the_engine_and_each_one_hot_row_has_a_single_1_in_its_column() -> None:
    stoi, itos = stop_1.make_vocab(TWEETS)
    assert tuple(itos) == VOCAB.itos
    assert stoi == VOCAB.stoi
    token_ids = stop_1.encode("good ~ day", stoi)
    assert token_ids.tolist() == [BOS, *VOCAB.encode("good ~ day"), EOS]
    assert UNK in token_ids
    rows = stop_1.one_hot_rows(token_ids, len(itos))
    assert rows.shape == (len(token_ids), len(VOCAB))
    assert rows.sum(dim=1).tolist() == [1] * len(token_ids)
    assert rows.argmax(dim=1).tolist() == token_ids.tolist()


def test_the_model_has_the_parameters_of_the_engines_and_computes_the_same(model: TextGenerator) -> None:
    plain = stop_2.TextGenerator(*SIZES)
    plain.load_state_dict(model.state_dict())
    counts = stop_2.count_parameters(plain)
    assert set(counts) == {"embed", "rnn", "proj"}
    config = ModelConfig(embedding_size=SIZES[1], hidden_size=SIZES[2])
    assert sum(counts.values()) == model.num_parameters == config.num_parameters(len(VOCAB))
    inputs = torch.stack([encoded("so happy"), encoded("what a d")])[:, :-1]
    logits, hidden = plain(inputs)
    assert logits.shape == (2, 9, len(VOCAB))
    assert torch.equal(logits, model(inputs)[0])
    assert torch.equal(hidden, model(inputs)[1])


def test_one_tweet_is_learned_by_heart_and_the_gates_are_those_of_the_gru_cell(model: TextGenerator) -> None:
    losses = stop_4.overfit(model, encoded("so happy :)"), num_steps=80, learning_rate=0.02)
    assert losses[0] == pytest.approx(math.log(len(VOCAB)), rel=0.15)
    assert losses[-1] < 0.05
    assert stop_5.sample(model, list(VOCAB.itos), temperature=0) == "so happy :)"
    hot = stop_5.sample(model, list(VOCAB.itos), temperature=5.0, max_length=30)
    assert 0 < len(hot) <= 30
    assert set(hot) <= set(VOCAB.itos[len(SPECIALS) :]), "no special symbol is drawn"
    cell = torch.nn.GRUCell(SIZES[1], SIZES[2])
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in model.rnn.state_dict().items()})
    embedded, hidden = torch.randn(SIZES[1]), torch.randn(SIZES[2])
    _, update, state = stop_4.gates(model.rnn, embedded, hidden)
    assert torch.allclose(state, cell(embedded, hidden), atol=1e-5)
    assert bool(((update > 0) & (update < 1)).all())


def test_probabilities_at_a_temperature_are_those_that_the_engine_draws_from() -> None:
    logits = torch.randn(len(VOCAB), generator=torch.Generator().manual_seed(1))
    for temperature in (0.0, 0.1, 0.8, 1.0, 5.0):
        temperatures = np.array([[temperature]], dtype=np.float32)
        [weights] = next_char_weights(logits.numpy()[None].copy(), SamplingConfig(), temperatures)
        ours = stop_5.next_probabilities(logits, temperature)
        assert torch.allclose(ours, torch.from_numpy(weights / weights.sum()), atol=1e-6)
        assert ours[[0, 1, 3]].tolist() == [0, 0, 0]


def test_losses_one_at_a_time_at_once_and_masked_are_those_of_the_training_step(model: TextGenerator) -> None:
    token_ids, expected = encoded(TWEETS[0]), float(_engine_loss(model, [TWEETS[0]]))
    assert stop_3.stepwise_loss(model, token_ids).item() == pytest.approx(expected, rel=1e-5)
    assert stop_3.sequence_loss(model, token_ids).item() == pytest.approx(expected, rel=1e-5)
    [batch] = stop_6.batches_by_length(list(map(encoded, TWEETS)), batch_size=8)
    assert stop_6.masked_loss(model, batch).item() == pytest.approx(float(_engine_loss(model, TWEETS)), rel=1e-5)
    tweets = [encoded("a" * length) for length in (3, 90, 4, 91, 5, 92)]
    by_length = stop_6.batches_by_length(tweets, batch_size=3)
    assert [len(batch) for batch in by_length] == [3, 3]
    assert all(len(one[0]) <= len(other[0]) for one, other in pairwise(by_length))
    unsorted = torch.nn.utils.rnn.pad_sequence(tweets, batch_first=True)
    assert stop_6.padding_share(by_length) < 0.1 * stop_6.padding_share([unsorted])


def test_ln_v_and_the_unigram_loss_are_the_baselines_of_the_engine(model: TextGenerator) -> None:
    held_out = ["so good", "a happy view"]
    bits = baseline_bits(_flat(TWEETS), _flat(held_out), len(VOCAB))
    train, validation = ([encoded(tweet).tolist()[1:] for tweet in tweets] for tweets in (TWEETS, held_out))
    assert stop_7.bits(stop_7.uniform_loss(len(VOCAB))) == pytest.approx(bits["uniform"])
    assert stop_7.bits(stop_7.unigram_loss(train, validation, len(VOCAB))) == pytest.approx(bits["unigram"])
    assert float(_engine_loss(model, TWEETS)) == pytest.approx(stop_7.uniform_loss(len(VOCAB)), rel=0.1)


def test_units_are_correlated_and_the_map_shows_as_much_variance_as_two_components_can(model: TextGenerator) -> None:
    assert stop_8.states_along(model, encoded(TWEETS[0])).shape == (len(TWEETS[0]) + 2, SIZES[2])
    concept = torch.tensor([0.0, 1, 1, 0])
    assert stop_8.correlation(2 * concept - 1, concept) == pytest.approx(1)
    assert stop_8.correlation(-concept, concept) == pytest.approx(-1)
    weights = model.embed.weight.detach()
    places, shares = stop_8.map_of_characters(weights)
    variances = torch.linalg.eigvalsh(torch.cov(weights.T)).flip(0)
    assert torch.allclose(places.var(dim=0), variances[:2], atol=1e-4)
    assert torch.allclose(shares, variances[:2] / variances.sum(), atol=1e-5)


def _flat(tweets: list[str]) -> EncodedTweets:
    return EncodedTweets.from_flat(FlatTweets.from_texts(tweets), VOCAB)


def _engine_loss(model: TextGenerator, tweets: list[str]) -> Tensor:
    flat = _flat(tweets)
    return GruStep(model).loss_and_grads(flat.batch(np.arange(len(flat))))
