"""The report as text: singular and plural, and totals of several sources."""

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


def test_the_report_is_one_line() -> None:
    assert (
        str(CorpusReport(sources=(ONE, OTHER))) == "1,015 rows read, 1,007 tweets kept; dropped: 6 duplicate, 2 empty"
    )


def test_one_row_without_drops_is_singular() -> None:
    source = SourceReport(name="c", format="text", num_rows=1, num_kept=1, dropped={}, examples={})
    report = CorpusReport(sources=(source,))
    assert str(report) == "1 row read, 1 tweet kept"
    assert list(summary_lines(report)) == ["c, text: 1 of 1 row kept"]


def test_the_summary_has_every_source_with_its_notes_and_the_total_of_drops() -> None:
    assert list(summary_lines(CorpusReport(sources=(ONE, OTHER)))) == [
        "a.csv, csv: 7 of 10 rows kept",
        "  header row found; text in column 2",
        "b.txt, text: 1,000 of 1,005 rows kept",
        "dropped: 6 duplicate, 2 empty",
    ]


def test_the_summary_adds_up_the_remaining_sources() -> None:
    lines = list(summary_lines(CorpusReport(sources=(ONE,) * 200)))
    assert lines[-2:] == [
        "and 194 more files: 1,358 of 1,940 rows kept",
        "dropped: 400 empty, 200 duplicate",
    ]
    assert len(lines) == 2 * 6 + 2
