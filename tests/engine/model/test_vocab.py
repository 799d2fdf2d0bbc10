"""The vocabulary: characters to token ids and back."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import VocabError
from engine.model.vocab import BOS, EOS, PAD, SPECIALS, UNK, Vocab
from tests.engine.helpers import vocab_of
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
