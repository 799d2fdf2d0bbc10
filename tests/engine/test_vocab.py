"""The vocabulary: characters to numbers and back."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import VocabError
from engine.vocab import BOS, EOS, PAD, SPECIALS, UNK, Vocab
from tests.strategies import hostile_text, tweet_lists


@given(tweets=tweet_lists())
def test_decode_undoes_encode(tweets: list[str]) -> None:
    vocab = Vocab.from_tweets(tweets)
    for tweet in tweets:
        assert vocab.decode(vocab.encode(tweet)) == tweet
        assert vocab.encode(tweet) == vocab.encode_known(tweet)


@given(tweets=tweet_lists(), text=hostile_text())
def test_a_whole_array_is_encoded_as_one_by_one(tweets: list[str], text: str) -> None:
    vocab = Vocab.from_tweets(tweets)
    assert vocab.encode_array(text).tolist() == vocab.encode(text)


@given(tweets=tweet_lists(), text=hostile_text())
def test_every_character_becomes_one_number_and_an_unknown_one_unk(tweets: list[str], text: str) -> None:
    vocab = Vocab.from_tweets(tweets)
    known = set("".join(tweets))
    token_ids = vocab.encode(text)
    assert len(token_ids) == len(text)
    assert [token_id == UNK for token_id in token_ids] == [char not in known for char in text]


@given(tweets=tweet_lists(), min_count=st.integers(1, 5))
def test_the_vocabulary_holds_the_frequent_characters_from_the_most_frequent_on(
    tweets: list[str], min_count: int
) -> None:
    counts = Counter("".join(tweets))
    vocab = Vocab.from_tweets(tweets, min_count)
    assert set(vocab.chars) == {char for char, count in counts.items() if count >= min_count}
    ordered = [counts[char] for char in vocab.chars]
    assert ordered == sorted(ordered, reverse=True)


@given(tweets=tweet_lists())
def test_the_numbers_do_not_depend_on_the_order_of_the_tweets(tweets: list[str]) -> None:
    assert Vocab.from_tweets(tweets) == Vocab.from_tweets(reversed(tweets))
    assert hash(Vocab.from_tweets(tweets)) == hash(Vocab.from_tweets(reversed(tweets)))


def test_the_special_symbols_come_first() -> None:
    vocab = Vocab("ab")
    assert vocab.itos == ("<PAD>", "<BOS>", "<EOS>", "<UNK>", "a", "b")
    assert [vocab.stoi[symbol] for symbol in SPECIALS] == [PAD, BOS, EOS, UNK] == [0, 1, 2, 3]
    assert len(vocab) == 6
    assert vocab.chars == ("a", "b")


def test_stoi_is_the_inverse_of_itos() -> None:
    vocab = Vocab.from_tweets(["some text", "with letters"])
    assert {vocab.itos[token_id]: token_id for token_id in range(len(vocab))} == vocab.stoi


def test_special_symbols_decode_to_nothing() -> None:
    vocab = Vocab("ab")
    assert vocab.decode([BOS, 4, UNK, 5, EOS, PAD, PAD]) == "ab"


def test_an_empty_vocabulary_knows_no_character() -> None:
    vocab = Vocab("")
    assert vocab.encode("ab") == [UNK, UNK]
    assert vocab.encode_array("ab").tolist() == [UNK, UNK]
    assert vocab.encode_array("").tolist() == []


@pytest.mark.parametrize("chars", [["a", "a"], ["ab"], [""], ["<EOS>"]])
def test_a_vocabulary_of_anything_but_single_distinct_characters_is_refused(chars: list[str]) -> None:
    with pytest.raises(VocabError):
        Vocab(chars)


def test_the_error_names_the_unknown_characters() -> None:
    with pytest.raises(VocabError) as caught:
        Vocab("ab").encode_known("abß→")
    assert "'ß' (U+00DF)" in caught.value.message
    assert "'→' (U+2192)" in caught.value.message
    assert caught.value.hint


def test_vocabularies_are_equal_when_they_number_alike() -> None:
    assert Vocab("ab") == Vocab(["a", "b"])
    assert Vocab("ab") != Vocab("ba")
    assert Vocab("ab") != "ab"


def test_an_array_of_token_ids_is_of_a_type_that_holds_them_all() -> None:
    chars = [chr(0x4E00 + offset) for offset in range(3000)]
    vocab = Vocab(chars)
    token_ids = vocab.encode_array("".join(chars))
    assert np.array_equal(token_ids, np.arange(4, 3004))
