"""The report as text: singular and plural, and totals of several sources."""

from __future__ import annotations

from syrupy.assertion import SnapshotAssertion

from engine.corpus.report import CorpusReport, SourceReport, summary_lines


def source(name: str, num_rows: int, num_kept: int, *notes: str, **dropped: int) -> SourceReport:
    return SourceReport(
        name=name, format="csv", notes=notes, num_rows=num_rows, num_kept=num_kept, dropped=dropped, examples={}
    )


FIRST = source("a.csv", 10, 7, "header row found", "text in column 2", empty=2, duplicate=1)
SECOND = source("b.csv", 1005, 1000, duplicate=5)


def test_the_report_is_one_line_or_has_every_source_and_the_total(snapshot: SnapshotAssertion) -> None:
    reports = {
        "two sources": CorpusReport(sources=(FIRST, SECOND)),
        "one row without drops": CorpusReport(sources=(source("c.csv", 1, 1),)),
        "200 sources": CorpusReport(sources=(FIRST,) * 200),
    }
    lines = [line for name, report in reports.items() for line in (f"({name})", str(report), *summary_lines(report))]
    assert "\n".join(lines) == snapshot
