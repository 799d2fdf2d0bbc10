"""The model is the tutorial's, plus dropout, tied embeddings and n-grams; its vocabulary, and one that grows."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from engine.config.run import ModelConfig, TrainingConfig
from engine.errors import VocabError
from engine.model.growth import grown_tensors
from engine.model.gru import TextGenerator
from engine.model.ngram_codes import NUM_IDS
from engine.model.ngram_input import NgramInput
from engine.model.vocab import BOS, EOS, PAD, UNK, Vocab
from engine.sampling.tutorial_loop import TutorialGenerator
from engine.training.trainer import Trainer
from tests.engine.helpers import CPU, code_of, copy_of_state, encoded, some_batches, vocab_of
from tests.strategies import hostile_text, tweet_lists

V, E, H = 12, 5, 7


def test_the_tutorials_weights_load_into_ours_and_give_the_same_logits() -> None:
    theirs, ours = TutorialGenerator(V, E, H), TextGenerator(V, E, H)
    inp = torch.randint(0, V, (3, 9))
    ours.load_state_dict(theirs.state_dict())
    for our_output, their_output in zip(ours(inp), theirs(inp), strict=True):
        assert torch.equal(our_output, their_output)


def test_the_loss_of_a_new_model_is_near_the_logarithm_of_the_vocabulary_size() -> None:
    inp, target = torch.randint(0, 80, (2, 16, 50))
    logits, _ = TextGenerator(80, 32, 64)(inp)
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())
    assert loss.item() == pytest.approx(math.log(80), abs=0.1)


def test_tied_embeddings_share_one_matrix_with_a_small_initial_scale() -> None:
    model = TextGenerator(200, 64, 64, tied_embeddings=True)
    assert model.proj.weight is model.embed.weight
    assert float(model.proj.weight.detach().std()) == pytest.approx(64**-0.5, rel=0.05)
    assert model.num_parameters == TextGenerator(200, 64, 64).num_parameters - 200 * 64


# The n-gram input -----------------------------------------------------------------------------------------------------


CONTEXTS = sorted([code_of(PAD, BOS), code_of(5, 6), code_of(4, 5, 6), code_of(BOS, 4, 5, 6)])


def small_input() -> NgramInput:
    """Return an input of four contexts with 7 numbers each; row r has the numbers 7 r ... ."""
    ngrams = NgramInput(len(CONTEXTS), 7)
    ngrams.contexts.copy_(torch.tensor(CONTEXTS))
    with torch.no_grad():
        ngrams.weight.copy_(torch.arange(35.0).view(5, 7) / 35)
        ngrams.weight[0] = 0
    return ngrams


def small_model(num_layers: int = 1) -> TextGenerator:
    """Return a model with `small_input`."""
    torch.manual_seed(0)
    model = TextGenerator(9, 4, 7, num_layers, ngram_contexts=len(CONTEXTS))
    model.ngram_input = small_input()
    return model


@given(st.sets(st.lists(st.integers(1, NUM_IDS - 1), min_size=2, max_size=4).map(tuple), min_size=2))
def test_contexts_of_any_lengths_have_different_codes(contexts: set[tuple[int, ...]]) -> None:
    ends = {(PAD, BOS, 4), (BOS, 4), (PAD, PAD, PAD, BOS), (PAD, BOS)}  # a tweet's first contexts end earlier
    assert len({code_of(*ids) for ids in contexts | ends}) == len(contexts | ends)


def test_a_place_has_the_rows_of_its_last_characters_and_padding_has_none() -> None:
    row = {code: 1 + CONTEXTS.index(code) for code in CONTEXTS}
    rows = small_input().rows_of(torch.tensor([[BOS, 4, 5, 6, 7], [BOS, 5, 6, EOS, PAD]]))
    assert rows[0].tolist() == [
        [row[code_of(PAD, BOS)], 0, 0, row[code_of(5, 6)], 0],
        [row[code_of(PAD, BOS)], 0, row[code_of(5, 6)], 0, 0],
    ]
    assert rows[1].tolist() == [[0, 0, 0, row[code_of(4, 5, 6)], 0], [0] * 5]
    assert rows[2].tolist() == [[0, 0, 0, row[code_of(BOS, 4, 5, 6)], 0], [0] * 5]
    assert not small_input().rows_of(torch.tensor([[5, 6, PAD, PAD]]))[:, 0, 2:].any()


def by_definition(model: TextGenerator, inp: Tensor) -> Tensor:
    """Return the logits (T, V) of a text (T,) by the equations of one layer, one character at a time."""
    ngrams, h = model.ngram_input, torch.zeros(model.rnn.hidden_size)
    assert ngrams is not None
    [[weight_ih, weight_hh, bias_ih, bias_hh]] = model.rnn.all_weights
    rows = ngrams.rows_of(inp[None])[:, 0]  # (3, T)
    logits = []
    for place, token_id in enumerate(inp):
        of_input = weight_ih @ model.embed.weight[token_id] + bias_ih
        of_state = weight_hh @ h + bias_hh
        (r_x, z_x, n_x), (r_h, z_h, n_h) = of_input.chunk(3), of_state.chunk(3)
        r, z = torch.sigmoid(r_x + r_h), torch.sigmoid(z_x + z_h)
        n = torch.tanh(n_x + ngrams.weight[rows[:, place]].sum(dim=0) + r * n_h)
        h = (1 - z) * n + z * h
        logits.append(model.proj(h))
    return torch.stack(logits)


def test_the_rows_of_a_place_are_added_to_the_candidate_of_the_first_layer_also_if_a_text_comes_in_two_parts() -> None:
    model, inp = small_model(), torch.tensor([BOS, 4, 5, 6, 7, 5, 6])
    expected = by_definition(model, inp)
    assert torch.allclose(model(inp[None])[0][0], expected, atol=1e-6)
    first, hidden = model(inp[None, :3])
    second, _ = model(inp[None, 3:], hidden, before=inp[None, :3])
    assert torch.allclose(torch.cat([first, second], dim=1)[0], expected, atol=1e-6)


def test_later_layers_are_those_of_a_plain_gru_on_the_first_layers_states() -> None:
    model, inp = small_model(num_layers=2), torch.tensor([[BOS, 4, 5, 6, 7]])
    first = small_model()
    first.load_state_dict(model.state_dict(), strict=False)
    first.proj = nn.Identity()  # type: ignore[assignment] # its output are the states
    second = nn.GRU(7, 7, batch_first=True)
    second.load_state_dict(
        {name: getattr(model.rnn, name.replace("l0", "l1")) for name, _ in second.named_parameters()}
    )
    assert torch.allclose(model(inp)[0], model.proj(second(first(inp)[0])[0]), atol=1e-6)


@pytest.mark.parametrize("num_layers", [1, 2])
def test_a_new_input_changes_nothing_and_draws_no_random_number(num_layers: int) -> None:
    inp, config = torch.tensor([[BOS, 4, 5]]), ModelConfig(embedding_size=4, hidden_size=8, num_layers=num_layers)
    torch.manual_seed(1)
    plain = TextGenerator.from_config(9, config)
    after = torch.rand(())
    torch.manual_seed(1)
    with_table = TextGenerator.from_config(9, replace(config, ngram_order=3, ngram_contexts=4))
    assert torch.rand(()) == after
    torch.testing.assert_close(plain(inp), with_table(inp))


def test_the_order_alone_makes_no_table_whose_parameters_count() -> None:
    assert TextGenerator.from_config(9, ModelConfig(ngram_order=4)).ngram_input is None
    config = ModelConfig(ngram_order=4, ngram_contexts=4)
    assert config.num_parameters(9) == TextGenerator.from_config(9, config).num_parameters
    assert config.num_parameters(9) - ModelConfig().num_parameters(9) == 5 * config.hidden_size


# The vocabulary -------------------------------------------------------------------------------------------------------


@given(tweets=tweet_lists(), text=hostile_text())
def test_decode_undoes_encode_and_an_unknown_character_is_unk(tweets: list[str], text: str) -> None:
    vocab = vocab_of(tweets)
    assert [vocab.decode([BOS, *vocab.encode(tweet), UNK, EOS, PAD]) for tweet in tweets] == tweets
    assert [vocab.encode_strict(tweet) for tweet in tweets] == [vocab.encode(tweet) for tweet in tweets]
    token_ids = vocab.encode(text)
    assert [token_id == UNK for token_id in token_ids] == [char not in set("".join(tweets)) for char in text]
    assert vocab.encode_array(text).tolist() == token_ids


@given(tweets=tweet_lists(), min_count=st.integers(1, 5))
def test_the_vocabulary_has_the_frequent_characters_most_frequent_first_whatever_the_order_of_the_tweets(
    tweets: list[str], min_count: int
) -> None:
    counts = Counter("".join(tweets))
    vocab = vocab_of(tweets, min_count)
    assert set(vocab.chars) == {char for char, count in counts.items() if count >= min_count}
    ordered = [counts[char] for char in vocab.chars]
    assert ordered == sorted(ordered, reverse=True)
    assert vocab == vocab_of(reversed(tweets), min_count)
    assert hash(vocab) == hash(vocab_of(reversed(tweets), min_count))


def test_anything_but_single_distinct_characters_is_refused_and_so_are_unknown_ones_by_name() -> None:
    for chars in (["a", "a"], ["ab"], [""], ["<EOS>"]):
        with pytest.raises(VocabError):
            Vocab(chars)
    with pytest.raises(VocabError) as caught:
        Vocab("ab").encode_strict("abß→")
    assert "'ß' (U+00DF)" in caught.value.message
    assert "'→' (U+2192)" in caught.value.message
    assert caught.value.hint


@given(tweets=tweet_lists(), others=tweet_lists())
def test_an_extended_vocabulary_starts_with_the_old_one_and_has_the_characters_of_both(
    tweets: list[str], others: list[str]
) -> None:
    old, other = vocab_of(tweets), vocab_of(others)
    extended = old.extended_by(other)
    assert old.is_start_of(extended)
    assert set(extended.chars) == set(old.chars) | set(other.chars)
    assert extended.is_start_of(old) == (len(extended) == len(old))
    assert extended.extended_by(other) is extended


# Growth ---------------------------------------------------------------------------------------------------------------


TIED = ModelConfig(embedding_size=8, hidden_size=8, num_layers=2, tied_embeddings=True)
WITH_TABLE = ModelConfig(embedding_size=4, hidden_size=8, ngram_order=4, ngram_contexts=1)
OLD = len(encoded()[1])
NEW = OLD + 3
BY_VOCAB = ("embed.weight", "proj.weight", "proj.bias")


def trained(config: ModelConfig) -> dict[str, torch.Tensor]:
    """Return the tensors of a small averaged model after three steps."""
    torch.manual_seed(0)
    model = TextGenerator.from_config(OLD, config)
    if model.ngram_input is not None:
        model.ngram_input.contexts[0] = code_of(PAD, BOS)
    trainer = Trainer(model, TrainingConfig(average_lag=0.1), CPU)
    for batch in some_batches(3):
        trainer.step(batch, 0.01)
    return copy_of_state(trainer) | {"generator.cpu": torch.get_rng_state()}


@pytest.mark.parametrize("config", [TIED, WITH_TABLE], ids=["tied", "with a table"])
def test_old_rows_and_all_other_tensors_stay_and_new_rows_are_those_of_a_new_model_without_moments(
    config: ModelConfig,
) -> None:
    def has_vocab(name: str) -> bool:
        return name.endswith(BY_VOCAB) and not name.startswith("optimizer.step.")

    before = trained(config)
    state = torch.get_rng_state()
    after = grown_tensors(before, NEW, config, seed=7)

    assert torch.equal(torch.get_rng_state(), state)
    assert after.keys() == before.keys()
    for name, tensor in before.items():
        assert torch.equal(after[name][:OLD] if has_vocab(name) else after[name], tensor)
        assert after[name].shape == (NEW, *tensor.shape[1:]) if has_vocab(name) else after[name] is tensor
    torch.manual_seed(7)
    new = TextGenerator.from_config(NEW, config).state_dict()
    for name in BY_VOCAB:
        assert torch.equal(after[f"model.{name}"][OLD:], new[name][OLD:])
        assert torch.equal(after[f"average.{name}"][OLD:], new[name][OLD:])
    moments = [tensor for name, tensor in after.items() if ".exp_avg" in name and has_vocab(name)]
    assert len(moments) == 2 * (2 if config.tied_embeddings else 3)
    assert all(not moment[OLD:].any() for moment in moments)
