"""The preview of a corpus in the file dialog."""

from __future__ import annotations

import pytest

from engine.corpus.report import CorpusPreview, SourceReport
from tui.formatting.corpus_preview import fact_line, sample_line

SOME = "196 of the first 200 rows are tweets"
LABELLED = "labels in column 1 (target): kept"


def source(name: str = "a.csv", *notes: str, num_kept: int = 196) -> SourceReport:
    return SourceReport(name=name, format="csv", notes=notes, num_rows=200, num_kept=num_kept, dropped={}, examples={})


@pytest.mark.parametrize(
    ("sources", "is_whole", "expected"),
    [
        (
            [source("a.csv", "header row found", "text in column 2 (text)")],
            False,
            f"csv, text in column 2 (text) · {SOME}",
        ),
        ([source("a.csv", f"{LABELLED} all")], False, f"csv · {SOME}"),
        (
            [source("a.csv", f"{LABELLED} happy (4); --label all keeps all")],
            False,
            f"csv · {SOME} · kept happy (4); --label all keeps all",
        ),
        ([source(num_kept=200)], True, "csv · all 200 rows are tweets"),
        ([source("in: a.csv")], False, f"a.csv: csv · {SOME}"),
        (
            [source("in: a.csv"), source("in: b.csv")],
            True,
            "checked 2 files: csv · 392 of 400 rows are tweets · --member reads only some",
        ),
        (
            [source("a.csv", "text in column 3 (body): by its name")],
            False,
            f"csv, text in column 3 (body): by its name · {SOME} · --column chooses another",
        ),
        ([], False, ""),
    ],
)
def test_format_column_labels_and_the_share_of_rows_that_are_tweets_are_shown(
    sources: list[SourceReport], is_whole: bool, expected: str
) -> None:
    name = "in" if sources and sources[0].name.startswith("in: ") else "a.csv"
    assert fact_line(CorpusPreview(sources=tuple(sources), is_whole=is_whole), name) == expected


def test_the_first_tweet_is_shown_if_there_is_one() -> None:
    assert sample_line(CorpusPreview(first_tweet="good morning")) == "first tweet: good morning"
    assert sample_line(CorpusPreview()) == ""
