"""A cached corpus equals the one that was read; a damaged entry is a miss."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus import cache
from engine.corpus.corpus import Corpus
from engine.corpus.loading import load_corpus
from engine.storage.folders import cache_folder
from tests.engine.helpers import small_tweets, write_corpus


def entries() -> list[Path]:
    return sorted((cache_folder() / "corpora").glob("*"))


def config_of(path: Path) -> CorpusConfig:
    return CorpusConfig(files=(str(path),))


def same(one: Corpus, other: Corpus) -> bool:
    return (
        list(one.train) == list(other.train)
        and list(one.validation) == list(other.validation)
        and np.array_equal(one.novelty.whole, other.novelty.whole)
        and np.array_equal(one.novelty.windows, other.novelty.windows)
        and replace(one, train=other.train, validation=other.validation, novelty=other.novelty, was_cached=True)
        == replace(other, was_cached=True)
    )


def test_a_cached_corpus_equals_the_one_that_was_read(tmp_path: Path) -> None:
    config = config_of(write_corpus(tmp_path, [*small_tweets(), "", "late night ☕ at café Noir", small_tweets()[0]]))
    read, opened = load_corpus(config), load_corpus(config)
    assert (read.was_cached, opened.was_cached) == (False, True)
    assert same(read, opened)


def test_changed_content_is_a_miss_and_the_old_content_a_hit_again(tmp_path: Path) -> None:
    path = write_corpus(tmp_path, small_tweets(40))
    load_corpus(config_of(path))
    write_corpus(tmp_path, small_tweets(50))
    assert len(load_corpus(config_of(path)).train) == 40
    assert not load_corpus(config_of(write_corpus(tmp_path, small_tweets(45)))).was_cached
    assert load_corpus(config_of(write_corpus(tmp_path, small_tweets(50)))).was_cached


def test_other_settings_are_another_corpus_unless_they_change_no_tweet(tmp_path: Path) -> None:
    config = config_of(write_corpus(tmp_path))
    load_corpus(config)
    changed: list[dict[str, Any]] = [{"max_length": 20}, {"lowercase": True}, {"keep_duplicates": True}]
    for settings in (*changed, {"format": "text"}):
        assert not load_corpus(replace(config, **settings)).was_cached
    assert load_corpus(replace(config, min_char_count=2, weight=(2.0,))).was_cached


@pytest.mark.parametrize("damage", ["a flipped byte", "cut"])
def test_a_damaged_entry_is_a_miss(tmp_path: Path, damage: str) -> None:
    config = config_of(write_corpus(tmp_path))
    read = load_corpus(config)
    [entry] = entries()
    data = bytearray(entry.read_bytes())
    data[-5] ^= 1
    entry.write_bytes(data[: len(data) // 2] if damage == "cut" else data)
    again = load_corpus(config)
    assert not again.was_cached
    assert same(read, again)
    assert load_corpus(config).was_cached


def test_a_read_only_cache_fails_no_run(tmp_path: Path) -> None:
    cache_folder().write_text("a file where the folder should be")
    assert len(load_corpus(config_of(write_corpus(tmp_path))).train) == 48


def test_a_file_that_changes_while_it_is_read_is_not_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = iter(["before", "after"])
    monkeypatch.setattr(cache, "key_of", lambda _: next(keys))
    load_corpus(config_of(write_corpus(tmp_path)))
    assert entries() == []


def test_the_least_recently_used_entries_are_deleted_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_ENTRIES", 2)
    one, two, three = (config_of(write_corpus(tmp_path, small_tweets(n), f"{n}.txt")) for n in (30, 40, 50))
    load_corpus(one)
    load_corpus(two)
    for number, entry in enumerate(entries()):
        os.utime(entry, (number, number))
    load_corpus(one)
    load_corpus(three)
    assert load_corpus(one).was_cached
    assert not load_corpus(two).was_cached
