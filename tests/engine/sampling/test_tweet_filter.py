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


FOUND = {
    "monday": ["Oh no, MONDAY!"],
    "art": ["art", "party art_2 art.", "art's", "hello @art", "#Art is life"],
    "@art": ["hello @art"],
    "#art": ["(#art)"],
    "good morning": ["well, good morning all", "good↵morning"],
    "don't": ["I don't"],
    "straße": ["in der STRASSE"],
    "café": ["un café", unicodedata.normalize("NFD", "un café")],
    unicodedata.normalize("NFD", "café"): ["un café"],
    "東京": ["私は東京都に行く"],
    "ไทย": ["ประเทศไทยสวย"],
    "❤": ["love ❤\ufe0f you"],
    "❤\ufe0f": ["love ❤ you"],
    "😀": ["ha😀ha"],
    ":)": ["hi :)"],
    "https://": ["see https://example.org"],
}
NOT_FOUND = {
    "art": ["party", "art_2 arts smart", "2art"],
    "@art": ["art #art", "@arthur"],
    "good morning": ["good, morning", "good mornings"],
    "cafe": ["café", unicodedata.normalize("NFD", "café")],
    "caf": ["café"],
    "क": ["कि"],
    "می": ["می\u200cخواهم"],
    "👩": ["👩\u200d🚀"],
    "ё": ["ёж"],
}


def test_a_word_is_avoided_in_any_case_and_form_but_neither_a_part_of_one_nor_another_word() -> None:
    assert [(word, text) for word, texts in FOUND.items() for text in texts if not avoids(word, text)] == []
    assert [(word, text) for word, texts in NOT_FOUND.items() for text in texts if avoids(word, text)] == []


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


def test_a_draft_can_have_every_reason_but_one_kind_of_copy_as_it_is_shown_and_only_of_a_filter() -> None:
    sampling = SamplingConfig(only_new=True, avoid=("a",), must_contain="b", min_length=9)
    reasons: tuple[RefusalReason, ...] = ("avoided word", "required text missing", "too short", "unfinished")
    bad = draft("  a    c  ", reached_eos=False)  # blanks at the ends and in sequence are not shown

    for share, kind in {1.0: ("copy",), 0.5: ("near-copy",), 0.49: ()}.items():
        assert TweetFilter(sampling, lambda _, share=share: share).reasons(bad) == (*kind, *reasons)  # type: ignore[misc] # a default binds the loop's value
    assert TweetFilter(SamplingConfig(), None).reasons(bad) == ()
    assert TweetFilter(SamplingConfig(best_of=2), None).reasons(bad) == ("unfinished",)


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
    for require in (sampling.require_satisfiable, sampling.require_for_run):
        with pytest.raises(ConfigError, match=f"prime must be without the avoided word “{word}”"):
            require()
    assert all(avoids(word, f"{prime}{end}") for end in ("", "s", "\u0301"))


@pytest.mark.parametrize(("prime", "word"), [("I hate", "hate"), ("hated ", "hate"), ("party", "art"), ("", "a")])
def test_a_prime_that_can_go_on_without_the_avoided_word_is_allowed(prime: str, word: str) -> None:
    SamplingConfig(prime=prime, avoid=(word,)).require_for_run()
    assert not avoids(word, f"{prime}s")


def test_a_required_text_with_an_avoided_word_is_an_error() -> None:
    for required in ("art", "#Art", "the art of"):
        with pytest.raises(ConfigError, match="must_contain must be without the avoided word “art”"):
            SamplingConfig(must_contain=required, avoid=("art",)).require_satisfiable()
    SamplingConfig(must_contain="part", avoid=("art",)).require_satisfiable()


def test_a_required_text_that_the_vocabulary_can_not_write_in_any_case_is_an_error() -> None:
    for chars, required in (
        *(("sé", "SÉ"), ("sß", "Ssẞ"), ("se\u0301", "sé"), ("❤", "❤\ufe0f")),
        *(("s↵", "s s"), ("S", "s"), ("", "")),
    ):
        require_samplable(SamplingConfig(must_contain=required), Vocab(chars))
    for chars, required in (("se", "sé"), ("abc", "abcd"), ("abc", "a b"), ("하ㄴ", "한")):
        with pytest.raises(VocabError, match=f"No tweet can contain “{required}”: the vocabulary lacks"):
            require_samplable(SamplingConfig(must_contain=required), Vocab(chars))
