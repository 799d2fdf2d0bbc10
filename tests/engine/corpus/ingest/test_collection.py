"""Every row is counted once, under its source, with a harmless example.

The property tries 25 corpora of up to three files of several formats.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.corpus import CorpusConfig
from engine.corpus.loading import TooFewTweetsError, load_corpus, read_tweets
from engine.errors import CorpusError
from engine.text import EXAMPLE_CHARS, harmless
from tests.engine.helpers import write_corpus
from tests.strategies import HOSTILE_PIECES

PIECES = st.one_of(st.sampled_from(HOSTILE_PIECES), st.text(max_size=8), st.sampled_from(["good ", "day ", "tea"]))
ROWS = st.lists(st.lists(PIECES, max_size=5).map("".join), min_size=1, max_size=25)
LONGEST = 12


def as_text(rows: Sequence[str]) -> bytes:
    return "\n".join(row.replace("\n", " ").replace("\r", " ") for row in rows).encode("utf-8", "replace")


def as_jsonl(rows: Sequence[str]) -> bytes:
    return "\n".join(json.dumps({"text": row, "n": n}) for n, row in enumerate(rows)).encode()


def as_csv(rows: Sequence[str]) -> bytes:
    lines = ["text", *('"' + row.replace('"', '""') + '"' for row in rows)]
    return "\n".join(lines).encode("utf-8", "replace")


FORMATS = {"text": as_text, "jsonl": as_jsonl, "csv": as_csv}


@settings(max_examples=25)
@given(
    files=st.lists(st.tuples(st.sampled_from(sorted(FORMATS)), ROWS), min_size=1, max_size=3),
    keep_duplicates=st.booleans(),
)
def test_kept_and_dropped_add_up_to_the_rows_of_every_source(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[str, list[str]]], *, keep_duplicates: bool
) -> None:
    folder = tmp_path_factory.mktemp("c")
    paths = []
    for number, (format_name, rows) in enumerate(files):
        path = folder / f"{number}.{format_name.replace('text', 'txt')}"
        path.write_bytes(FORMATS[format_name]([*rows, "the last row"]))
        paths.append(str(path))
    config = CorpusConfig(files=tuple(paths), max_length=LONGEST, keep_duplicates=keep_duplicates)
    try:
        tweets, report = read_tweets(config)
    except CorpusError:
        return
    assert len(report.sources) == len(files)
    for source in report.sources:
        assert source.num_kept + sum(source.dropped.values()) == source.num_rows
        assert min(source.num_kept, *source.dropped.values(), 1) >= 0
        assert list(source.dropped.values()) == sorted(source.dropped.values(), reverse=True)
        assert set(source.examples) <= set(source.dropped)
    assert report.num_kept == len(tweets)
    for text in (*report.dropped, *report.examples.values()):
        assert text == harmless(text, EXAMPLE_CHARS)


# Too few tweets -------------------------------------------------------------------------------------------------------


def test_a_corpus_of_near_duplicates_is_refused_with_keep_duplicates(tmp_path: Path) -> None:
    path = write_corpus(tmp_path, [f"@{name} the very same words every day" for name in "abcdefghijklmnopqrstuvwxyz"])
    with pytest.raises(TooFewTweetsError, match="too few distinct tweets") as caught:
        load_corpus(CorpusConfig(files=(str(path),), keep_duplicates=True))
    assert "--keep-duplicates" in caught.value.hint
