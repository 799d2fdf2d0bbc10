"""What is held out: enough, not too much, and always the same."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.corpus import load_corpus
from engine.corpus.cleaning import duplicate_key
from engine.corpus.split import num_validation_tweets, validation_mask
from engine.corpus_config import CorpusConfig
from tests.engine.helpers import small_tweets, write_corpus

ROOT = Path(__file__).parents[2]
KEYS = st.lists(st.text("abcdefgh 0123", min_size=1, max_size=12), min_size=1, max_size=300, unique=True)


def held_out(keys: list[str]) -> set[str]:
    """Return the keys that are held out."""
    return {key for key, is_held_out in zip(keys, validation_mask(keys), strict=True) if is_held_out}


@pytest.mark.parametrize(
    ("num_tweets", "expected"),
    [(20, 4), (100, 20), (999, 199), (1000, 200), (2000, 200), (4000, 200), (5000, 250), (20_000, 1000)],
)
def test_five_percent_are_held_out_at_least_200_at_most_a_fifth(num_tweets: int, expected: int) -> None:
    assert num_validation_tweets(num_tweets) == expected


@given(num_tweets=st.integers(20, 10_000_000))
def test_at_least_four_fifths_are_trained_on_and_something_is_held_out(num_tweets: int) -> None:
    num_held_out = num_validation_tweets(num_tweets)
    assert 1 <= num_held_out <= num_tweets / 5
    if num_tweets >= 1000:
        assert num_held_out >= max(200, int(0.05 * num_tweets))


@given(keys=KEYS)
def test_as_many_are_held_out_as_are_wanted(keys: list[str]) -> None:
    assert len(held_out(keys)) == num_validation_tweets(len(keys))


@given(keys=KEYS, chance=st.randoms())
def test_the_order_of_the_tweets_decides_nothing(keys: list[str], chance: random.Random) -> None:
    shuffled = list(keys)
    chance.shuffle(shuffled)
    assert held_out(shuffled) == held_out(keys)


def test_what_is_held_out_is_no_matter_of_alphabet_or_length() -> None:
    keys = [f"{number:05}" for number in range(20_000)]
    chosen = sorted(held_out(keys))
    assert 400 < sum(key < "10000" for key in chosen) < 600


def test_another_process_with_another_hash_seed_holds_out_the_same(tmp_path: Path) -> None:
    path = write_corpus(tmp_path)
    code = (
        "import json, sys; from engine.corpus import load_corpus; from engine.config import CorpusConfig;"
        "corpus = load_corpus(CorpusConfig(files=(sys.argv[1],)));"
        "print(json.dumps([corpus.train, corpus.validation, corpus.digest]))"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", code, str(path)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for hash_seed in ("1", "2")
    }
    here = load_corpus(CorpusConfig(files=(str(path),)))
    assert [json.loads(answer) for answer in answers] == [[[*here.train], [*here.validation], here.digest]]


def test_a_file_in_another_order_has_the_same_tweets_held_out(tmp_path: Path) -> None:
    tweets = small_tweets()
    one = load_corpus(CorpusConfig(files=(str(write_corpus(tmp_path, tweets, "a.txt")),)))
    other = load_corpus(CorpusConfig(files=(str(write_corpus(tmp_path, tweets[::-1], "b.txt")),)))
    assert set(one.validation) == set(other.validation)
    assert set(one.train) == set(other.train)


def test_another_spelling_of_a_tweet_is_held_out_like_the_first(tmp_path: Path) -> None:
    other_spellings = [f"@bob {tweet.upper()} ... http://a.example/b" for tweet in small_tweets()]
    corpora = [
        load_corpus(CorpusConfig(files=(str(write_corpus(tmp_path, tweets)),)))
        for tweets in (small_tweets(), other_spellings)
    ]
    one, other = ({duplicate_key(tweet) for tweet in corpus.validation} for corpus in corpora)
    assert one == other


def test_no_tweet_is_on_both_sides_not_even_in_another_spelling(tmp_path: Path) -> None:
    tweets = small_tweets(60)
    variants = [f"@bob {tweet.upper()} ... http://a.example/{number}" for number, tweet in enumerate(tweets)]
    corpus = load_corpus(CorpusConfig(files=(str(write_corpus(tmp_path, [*tweets, *variants])),)))
    train, validation = set(map(duplicate_key, corpus.train)), set(map(duplicate_key, corpus.validation))
    assert not train & validation
    assert len(train) + len(validation) == len(corpus.train) + len(corpus.validation) == 60
