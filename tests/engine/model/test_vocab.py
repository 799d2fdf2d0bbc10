"""The vocabulary: characters to token ids and back; a model whose vocabulary grows."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.config.run import ModelConfig, TrainingConfig
from engine.errors import VocabError
from engine.model.growth import grown_tensors
from engine.model.gru import TextGenerator
from engine.model.vocab import BOS, EOS, PAD, SPECIALS, UNK, Vocab
from engine.training.trainer import Trainer
from tests.engine.helpers import CPU, code_of, copy_of_state, encoded, some_batches, vocab_of
from tests.strategies import hostile_text, tweet_lists


@given(tweets=tweet_lists(), text=hostile_text())
def test_decode_undoes_encode_and_an_unknown_character_is_unk(tweets: list[str], text: str) -> None:
    vocab = vocab_of(tweets)
    assert [vocab.decode(vocab.encode(tweet)) for tweet in tweets] == tweets
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


def test_the_special_symbols_come_first_and_decode_to_nothing() -> None:
    vocab = Vocab("ab")
    assert vocab.itos == ("<PAD>", "<BOS>", "<EOS>", "<UNK>", "a", "b")
    assert [vocab.stoi[symbol] for symbol in SPECIALS] == [PAD, BOS, EOS, UNK] == [0, 1, 2, 3]
    assert vocab.decode([BOS, 4, UNK, 5, EOS, PAD, PAD]) == "ab"
    assert vocab.chars == ("a", "b")
    assert vocab == Vocab(["a", "b"])
    assert vocab != Vocab("ba")


@pytest.mark.parametrize("chars", [["a", "a"], ["ab"], [""], ["<EOS>"]])
def test_a_vocabulary_of_anything_but_single_distinct_characters_is_refused(chars: list[str]) -> None:
    with pytest.raises(VocabError):
        Vocab(chars)


def test_the_error_names_the_unknown_characters() -> None:
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
