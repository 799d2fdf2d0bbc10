"""What a glance at tweets tells in the dialog."""

from __future__ import annotations

import pytest

from engine.corpus.checking import Glance
from engine.corpus.report import SourceReport
from tui.glance_lines import fact_line, sample_line


def source(name: str = "a.csv", *notes: str, num_kept: int = 196, num_rows: int = 200) -> SourceReport:
    return SourceReport(
        name=name, format="csv", notes=notes, num_rows=num_rows, num_kept=num_kept, dropped={}, examples={}
    )


def test_it_tells_the_format_the_column_and_how_many_rows_are_tweets() -> None:
    glance = Glance(sources=(source("a.csv", "header row found", "text in column 2 (text): the longest"),))
    told = "csv, text in column 2 (text): the longest · 196 of the first 200 rows are tweets"
    assert fact_line(glance, "a.csv") == told


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        ("happy (4)", " · kept happy (4); start with --label all for all"),
        ("happy (4); --label all keeps all", " · kept happy (4); start with --label all for all"),
        ("all", ""),
    ],
)
def test_labels_that_are_left_out_are_told_with_what_would_keep_them(kept: str, told: str) -> None:
    glance = Glance(sources=(source("a.csv", f"labels in column 1 (target): kept {kept}"),))
    assert fact_line(glance, "a.csv") == f"csv · 196 of the first 200 rows are tweets{told}"


@pytest.mark.parametrize(
    ("is_whole", "num_kept", "told"),
    [
        (True, 196, "196 of 200 rows are tweets"),
        (True, 200, "all 200 rows are tweets"),
        (False, 200, "all of the first 200 rows are tweets"),
    ],
)
def test_all_rows_are_told_from_the_first(is_whole: bool, num_kept: int, told: str) -> None:
    glance = Glance(sources=(source(num_kept=num_kept),), is_whole=is_whole)
    assert fact_line(glance, "a.csv") == f"csv · {told}"


def test_what_is_read_of_a_folder_or_archive_is_named() -> None:
    one = Glance(sources=(source("in: a.csv", "not read: cat.jpg (a picture)"),))
    assert fact_line(one, "in") == "a.csv: csv, not read: cat.jpg (a picture) · 196 of the first 200 rows are tweets"
    two = Glance(sources=(source("in: a.csv"), source("in: b.csv")), is_whole=True)
    assert fact_line(two, "in") == "looked at 2 files: csv · 392 of 400 rows are tweets"


def test_the_first_tweet_is_told_and_nothing_where_nothing_was_looked_at() -> None:
    assert sample_line(Glance(first_tweet="good morning")) == "first tweet: good morning"
    assert (fact_line(Glance(), "a"), sample_line(Glance())) == ("", "")
