"""The report in words: counts that add up, one and many told apart, several sources put together."""

from __future__ import annotations

from engine.corpus.report import CorpusReport, SourceReport, summary_lines

ONE = SourceReport(
    name="a.csv",
    format="csv",
    notes=("header row found", "text in column 2"),
    num_rows=10,
    num_kept=7,
    dropped={"empty": 2, "duplicate": 1},
    examples={},
)
OTHER = SourceReport(name="b.txt", format="text", num_rows=1005, num_kept=1000, dropped={"duplicate": 5}, examples={})


def test_it_is_one_line_for_all_and_one_for_each() -> None:
    assert str(ONE) == "10 rows read, 7 tweets kept; dropped: 2 empty, 1 duplicate"
    assert (
        str(CorpusReport(sources=(ONE, OTHER))) == "1,015 rows read, 1,007 tweets kept; dropped: 6 duplicate, 2 empty"
    )


def test_one_row_that_nothing_was_dropped_of_reads_well() -> None:
    source = SourceReport(name="c", format="text", num_rows=1, num_kept=1, dropped={}, examples={})
    assert str(source) == "1 row read, 1 tweet kept; dropped: none"
    assert list(summary_lines(CorpusReport(sources=(source,)))) == ["c (text): 1 of 1 row kept"]


def test_in_short_it_names_every_source_with_its_notes_and_what_was_dropped_in_all() -> None:
    assert list(summary_lines(CorpusReport(sources=(ONE, OTHER)))) == [
        "a.csv (csv): 7 of 10 rows kept",
        "  header row found; text in column 2",
        "b.txt (text): 1,000 of 1,005 rows kept",
        "dropped: 6 duplicate, 2 empty",
    ]


def test_in_short_the_sources_without_a_line_of_their_own_are_added_up() -> None:
    lines = list(summary_lines(CorpusReport(sources=(ONE,) * 200)))
    assert lines[-2:] == [
        "and 194 more files: 1,358 of 1,940 rows kept",
        "dropped: 400 empty, 200 duplicate",
    ]
    assert len(lines) == 2 * 6 + 2
