"""The glance at tweets before a screen opens: it ends in time, however many files there are."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from engine.corpus import checking
from engine.corpus.checking import check_corpus
from engine.corpus.loading import load_corpus
from engine.corpus_config import CorpusConfig
from engine.errors import CorpusError
from tests.engine.helpers import small_tweets


def cut_archive() -> bytes:
    """Return a packed file whose beginning is sound and whose end is missing."""
    noise = random.Random(1)  # noqa: S311 - no secrets
    lines = (noise.randbytes(10_000).hex() for _ in range(100))
    return gzip.compress("\n".join(lines).encode())[:-2000]


def test_the_time_is_that_of_all_files_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "MAX_SECONDS", 0.0)
    for number in range(300):
        (tmp_path / f"a{number:03}.txt").write_text("the same again\n", encoding="utf-8")
    (tmp_path / "z.txt.gz").write_bytes(cut_archive())
    config = CorpusConfig(files=(str(tmp_path),))
    check_corpus(config)
    with pytest.raises(CorpusError):
        load_corpus(config)


def test_tweets_of_several_files_are_counted_together(tmp_path: Path) -> None:
    for number, tweet in enumerate(small_tweets(20)):
        (tmp_path / f"{number}.txt").write_text(f"{tweet}\n", encoding="utf-8")
    check_corpus(CorpusConfig(files=(str(tmp_path),)))


def test_tweets_that_are_all_alike_are_found_out(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("".join(f"@{name} the same again\n" for name in "abcdefghijklmnopqrstuvwxyz"), encoding="utf-8")
    with pytest.raises(CorpusError, match="too few different tweets"):
        check_corpus(CorpusConfig(files=(str(path),), keep_duplicates=True))


def test_the_embedded_tweets_need_no_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "tallied_rows", lambda *_: pytest.fail("they were read"))
    check_corpus(CorpusConfig())
