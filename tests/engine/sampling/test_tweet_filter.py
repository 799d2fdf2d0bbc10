"""Which drafts are refused: whole words in any case, in any script; text within words; the end of the tweet."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.config.sampling import SamplingConfig
from engine.corpus.flat_tweets import FlatTweets
from engine.corpus.ingest.cleaning import duplicate_key
from engine.corpus.similarity.novelty import NoveltyIndex
from engine.errors import ConfigError, VocabError
from engine.model.vocab import Vocab
from engine.protocol.events import RefusalReason
from engine.sampling.sampler import SampledTweet
from engine.sampling.tweet_filter import TweetFilter, require_samplable
from tests.engine.helpers import small_tweets
from tests.strategies import tweets


def draft(text: str, *, reached_eos: bool = True) -> SampledTweet:
    return SampledTweet(text=text, temperature=0.8, seed=0, reached_eos=reached_eos, bits_per_char=2.0)


def refuses(sampling: SamplingConfig, text: str) -> bool:
    return TweetFilter(sampling, None).reasons(draft(text)) != ()


def avoids(word: str, text: str) -> bool:
    return refuses(SamplingConfig(avoid=(word,)), text)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("monday", "Oh no, MONDAY!"),
        ("art", "art"),
        ("art", "party art_2 art."),
        ("art", "art's"),
        ("art", "hello @art"),
        ("art", "#Art is life"),
        ("@art", "hello @art"),
        ("#art", "(#art)"),
        ("good morning", "well, good morning all"),
        ("good morning", "good↵morning"),
        ("don't", "I don't"),
        ("straße", "in der STRASSE"),
        (unicodedata.normalize("NFD", "café"), "un café"),
        ("café", unicodedata.normalize("NFD", "un café")),
        ("東京", "私は東京都に行く"),
        ("ไทย", "ประเทศไทยสวย"),
        ("❤", "love ❤\ufe0f you"),
        ("❤\ufe0f", "love ❤ you"),
        ("😀", "ha😀ha"),
        (":)", "hi :)"),
        ("https://", "see https://example.org"),
    ],
)
def test_an_avoided_word_is_found(word: str, text: str) -> None:
    assert avoids(word, text)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("art", "party"),
        ("art", "art_2 arts smart"),
        ("art", "2art"),
        ("@art", "art #art"),
        ("@art", "@arthur"),
        ("good morning", "good, morning"),
        ("good morning", "good mornings"),
        ("cafe", "café"),
        ("caf", "café"),
        ("cafe", unicodedata.normalize("NFD", "café")),
        ("क", "कि"),
        ("می", "می\u200cخواهم"),
        ("👩", "👩\u200d🚀"),
        ("ё", "ёж"),
    ],
)
def test_a_part_of_a_word_or_another_word_is_not_avoided(word: str, text: str) -> None:
    assert not avoids(word, text)


@given(before=tweets(20), word=st.text("abcXYZéñ", min_size=1, max_size=6), after=tweets(20))
def test_a_word_between_blanks_is_always_found(before: str, word: str, after: str) -> None:
    assert avoids(word, f"{before} {word.upper()} {after}")
    assert refuses(SamplingConfig(must_contain=word), before) == (word.casefold() not in before.casefold())


@given(text=tweets(40), word=st.text("abcXYZ", min_size=1, max_size=3))
def test_a_word_is_found_only_where_the_words_of_the_text_contain_it(text: str, word: str) -> None:
    assume("ﬁ" not in text)
    separated = "".join(char if char.isalnum() or char == "_" else " " for char in text.casefold())

    assert avoids(word, text) == (word.casefold() in separated.split())


@pytest.mark.parametrize(("required", "text"), [("art", "pARTy"), ("Ñ", "mañana"), ("a b", "a↵b"), (" a", "b a")])
def test_required_text_is_found_in_any_case_also_within_words(required: str, text: str) -> None:
    assert not refuses(SamplingConfig(must_contain=required), text)
    assert refuses(SamplingConfig(must_contain=required + "x"), text)


def test_a_draft_can_have_every_reason_but_one_kind_of_copy() -> None:
    sampling = SamplingConfig(only_new=True, avoid=("a",), must_contain="b", min_length=9)
    reasons: tuple[RefusalReason, ...] = ("avoided word", "required text missing", "too short", "unfinished")

    for share, kind in ((1.0, "copy"), (0.5, "near-copy")):
        found = TweetFilter(sampling, lambda _, share=share: share).reasons(draft("a", reached_eos=False))  # type: ignore[misc] # a default binds the loop's value
        assert found == (kind, *reasons)
    assert TweetFilter(sampling, lambda _: 0.49).reasons(draft("a", reached_eos=False)) == reasons


def test_an_unfinished_draft_is_refused_only_by_a_filter() -> None:
    unfinished = draft("good morn", reached_eos=False)

    assert TweetFilter(SamplingConfig(), None).reasons(unfinished) == ()
    assert TweetFilter(SamplingConfig(best_of=2), None).reasons(unfinished) == ("unfinished",)


def test_copies_are_found_by_the_index_of_the_training_tweets() -> None:
    copied_share = NoveltyIndex.from_keys(FlatTweets.from_texts(map(duplicate_key, small_tweets()))).copied_share
    tweet_filter = TweetFilter(SamplingConfig(only_new=True), copied_share)

    assert tweet_filter.reasons(draft(small_tweets()[3].upper() + "!")) == ("copy",)
    assert tweet_filter.reasons(draft("something else altogether")) == ()


# Filters that no draft can pass ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prime", "word"),
    [("I hate ", "hate"), ("Hate, and", "HATE"), ("good morning to", "good morning"), ("#art!", "art")],
)
def test_a_prime_with_an_avoided_word_is_an_error_as_every_tweet_would_have_it(prime: str, word: str) -> None:
    sampling = SamplingConfig(prime=prime, avoid=("other", word))
    with pytest.raises(ConfigError, match=f"prime must be without the avoided word “{word}”"):
        sampling.require_satisfiable()
    with pytest.raises(ConfigError):
        sampling.require_for_run()
    assert all(avoids(word, f"{prime}{end}") for end in ("", "s", "\u0301"))


@pytest.mark.parametrize(("prime", "word"), [("I hate", "hate"), ("hated ", "hate"), ("party", "art"), ("", "a")])
def test_a_prime_that_can_go_on_without_the_avoided_word_is_allowed(prime: str, word: str) -> None:
    SamplingConfig(prime=prime, avoid=(word,)).require_for_run()
    assert not avoids(word, f"{prime}s")


@pytest.mark.parametrize("required", ["art", "#Art", "the art of"])
def test_a_required_text_with_an_avoided_word_is_an_error(required: str) -> None:
    with pytest.raises(ConfigError, match="must_contain must be without the avoided word “art”"):
        SamplingConfig(must_contain=required, avoid=("art",)).require_satisfiable()
    SamplingConfig(must_contain="part", avoid=("art",)).require_satisfiable()


@pytest.mark.parametrize(
    ("chars", "required"),
    [("sé", "SÉ"), ("sß", "Ssẞ"), ("se\u0301", "sé"), ("❤", "❤\ufe0f"), ("s↵", "s s"), ("S", "s"), ("", "")],
)
def test_a_required_text_that_the_vocabulary_can_write_in_any_case_is_allowed(chars: str, required: str) -> None:
    require_samplable(SamplingConfig(must_contain=required), Vocab(chars))


@pytest.mark.parametrize(("chars", "required"), [("se", "sé"), ("abc", "abcd"), ("abc", "a b"), ("하ㄴ", "한")])
def test_a_required_text_with_characters_that_the_vocabulary_lacks_is_an_error(chars: str, required: str) -> None:
    with pytest.raises(VocabError, match=f"No tweet can contain “{required}”: the vocabulary lacks"):
        require_samplable(SamplingConfig(must_contain=required), Vocab(chars))
