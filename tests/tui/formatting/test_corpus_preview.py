"""The preview of a corpus in the file dialog."""

from __future__ import annotations

from syrupy.assertion import SnapshotAssertion

from engine.corpus.report import CorpusPreview, SourceReport
from tui.formatting.corpus_preview import fact_line, sample_line


def preview(*notes: str, names: tuple[str, ...] = ("a.csv",), num_kept: int = 196, is_whole: bool = False) -> str:
    """Return the line on sources of 200 rows, in the folder `in` or the file `a.csv`."""
    sources = tuple(
        SourceReport(name=name, format="csv", notes=notes, num_rows=200, num_kept=num_kept, dropped={}, examples={})
        for name in names
    )
    name = "in" if names and names[0].startswith("in: ") else "a.csv"
    return fact_line(CorpusPreview(sources=sources, is_whole=is_whole), name)


def test_format_column_labels_and_the_share_of_rows_that_are_tweets_are_shown(snapshot: SnapshotAssertion) -> None:
    labels = "labels in column 1 (target): kept"
    lines = {
        "a column that was set": preview("header row found", "text in column 2 (text)"),
        "a column that was found": preview("text in column 3 (body): by its name"),
        "all labels": preview(f"{labels} all"),
        "one label": preview(f"{labels} happy (4); --label all keeps all"),
        "a whole file": preview(num_kept=200, is_whole=True),
        "one file of a folder": preview(names=("in: a.csv",)),
        "two files of a folder": preview(names=("in: a.csv", "in: b.csv"), is_whole=True),
        "nothing": preview(names=()),
    }
    assert "\n".join(f"{name}: {line}" for name, line in lines.items()) == snapshot


def test_the_first_tweet_is_shown_if_there_is_one() -> None:
    assert sample_line(CorpusPreview(first_tweet="good morning")) == "first tweet: good morning"
    assert sample_line(CorpusPreview()) == ""
