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
    for number in range(3):
        (tmp_path / f"a{number:03}.txt").write_text("the same again\n" * 200, encoding="utf-8")
    (tmp_path / "z.txt.gz").write_bytes(cut_archive())
    config = CorpusConfig(files=(str(tmp_path),))
    check_corpus(config)
    with pytest.raises(CorpusError):
        load_corpus(config)


def test_a_glance_tells_how_the_first_rows_are_read_and_how_many_are_tweets(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    tweets = [f"this is number {number}" for number in range(1000)]
    rows = [f"{0 if number % 2 else 4},{tweet}" for number, tweet in enumerate(tweets)]
    path.write_text("\n".join(["target,text", *rows]), encoding="utf-8")
    glance = check_corpus(CorpusConfig(files=(str(path),)))
    (source,) = glance.sources
    assert (source.name, source.format) == ("a.csv", "csv")
    assert "text in column 2 (text): the longest" in source.notes
    assert any(note.startswith("labels in column 1 (target): kept happy (4)") for note in source.notes)
    assert (source.num_rows, source.num_kept, source.dropped) == (399, 200, {"labelled sad (0)": 199})
    assert glance.first_tweet == tweets[0]
    assert not glance.is_whole


def test_a_glance_at_little_is_one_at_the_whole(tmp_path: Path) -> None:
    for name in ("a", "b"):
        lines = "\n".join([*small_tweets(30), "", "last"])
        (tmp_path / f"{name}.txt").write_text(lines, encoding="utf-8")
    glance = check_corpus(CorpusConfig(files=(str(tmp_path),)))
    assert glance.is_whole
    assert [(source.num_rows, source.num_kept) for source in glance.sources] == [(32, 31)] * 2
