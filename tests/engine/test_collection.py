"""From files to tweets and tallies: every row is counted once, where it came from, with an example that is harmless.

The property tries 25 corpora of up to three files of several formats.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.corpus.collection import Tally, collect
from engine.corpus.loading import TooFewTweetsError, load_corpus, read_tweets
from engine.corpus.source import Source, Unusable
from engine.corpus_config import CorpusConfig
from engine.errors import CorpusError
from engine.stage import no_progress
from engine.text import EXAMPLE_CHARS, harmless
from tests.engine.helpers import write_corpus
from tests.engine.opening_helpers import zip_of
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


def test_each_tweet_is_known_by_the_file_that_it_came_from(tmp_path: Path) -> None:
    one, two = write_corpus(tmp_path, ["tea", "", "jam"], "1.txt"), write_corpus(tmp_path, ["rain"], "2.txt")
    collected = collect(CorpusConfig(files=(str(one), str(two))), no_progress)
    assert list(collected.texts) == ["tea", "jam", "rain"]
    assert collected.tally_of.tolist() == [0, 0, 1]
    assert [tally.file_index for tally in collected.tallies] == [0, 1]


def test_all_files_of_an_archive_belong_to_the_one_that_was_named(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zip_of({"x.txt": b"tea\njam\n", "y.txt": b"rain\nsnow\n"}))
    other = write_corpus(tmp_path, ["fog"], "b.txt")
    config = CorpusConfig(files=(str(tmp_path / "a.zip"), str(other)))
    assert [tally.file_index for tally in collect(config, no_progress).tallies] == [0, 0, 1]


def test_an_example_is_the_first_row_that_was_dropped_for_its_reason(tmp_path: Path) -> None:
    path = write_corpus(tmp_path, ["tea", "x" * 200, "y" * 300])
    [tally] = collect(CorpusConfig(files=(str(path),)), no_progress).tallies
    assert tally.dropped == {"over 140 characters": 2}
    assert tally.examples["over 140 characters"].startswith("xxx")


def test_reason_and_example_are_short_and_harmless_whatever_the_reader_gives() -> None:
    tally = Tally(Source("a.csv", "csv"), 0)
    tally.drop(Unusable("no \x1b[31mbody" + "y" * 500, "\x1b[2J" + "so long " * 1000))
    [(reason, example)] = tally.examples.items()
    assert set(tally.dropped) == {reason}
    assert reason.startswith("no body")
    assert reason == harmless(reason, 80)
    assert example.startswith("so long")
    assert example == harmless(example, EXAMPLE_CHARS)


def test_what_was_decoded_wrongly_once_is_noted(tmp_path: Path) -> None:
    path = write_corpus(tmp_path, ["so happy ðŸ˜Š", "plain"])
    [tally] = collect(CorpusConfig(files=(str(path),)), no_progress).tallies
    assert "1 repaired that were decoded wrongly once (mojibake)" in tally.report().notes


# Too little to train on -----------------------------------------------------------------------------------------------


def test_tweets_that_are_all_alike_are_refused_where_they_are_to_be_kept(tmp_path: Path) -> None:
    path = write_corpus(tmp_path, [f"@{name} the very same words every day" for name in "abcdefghijklmnopqrstuvwxyz"])
    with pytest.raises(TooFewTweetsError, match="too few different tweets") as caught:
        load_corpus(CorpusConfig(files=(str(path),), keep_duplicates=True))
    assert "--keep-duplicates" in caught.value.hint


@pytest.mark.parametrize(
    ("rows", "label", "words"),
    [
        (['1,"good"', *(f'0,"bad {n}"' for n in range(30))], "happy", "--label all"),
        ([f"{n} " + "x" * 200 for n in range(30)], "happy", "--max-length"),
    ],
)
def test_the_hint_answers_the_reason_that_most_rows_were_dropped_for(
    tmp_path: Path, rows: list[str], label: str, words: str
) -> None:
    header = ["label,text"] if rows[0].startswith("1,") else []
    path = write_corpus(tmp_path, [*header, *rows], "a.csv" if header else "a.txt")
    with pytest.raises(TooFewTweetsError) as caught:
        load_corpus(CorpusConfig(files=(str(path),), label=label))
    assert words in caught.value.hint
