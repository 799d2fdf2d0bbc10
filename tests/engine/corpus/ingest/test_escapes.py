r"""Escapes such as `\u2019` are decoded in a source that certainly has them, and left in every other."""

from __future__ import annotations

from syrupy.assertion import SnapshotAssertion

from engine.corpus.ingest.escapes import decode_escapes
from engine.corpus.types import DroppedRow, Row, Source
from tests.engine.corpus.reading import Case, cases, recorded_cases


def decoded(rows: list[Row]) -> tuple[list[Row], list[str]]:
    """Return the rows of a source after decoding, and the notes on it."""
    source = Source(name="tweets.tsv", format="csv")
    return list(decode_escapes(iter(rows), source)), source.notes


def rows_of(case: Case) -> list[Row]:
    return [*str(case.files["rows"]).splitlines()]


@recorded_cases("escapes")
def test_escapes_are_decoded_or_left_as_recorded(case: Case, snapshot: SnapshotAssertion) -> None:
    rows, notes = decoded(rows_of(case))
    pairs = (f"{before}  ->  {after!r}" for before, after in zip(rows_of(case), rows, strict=True))
    assert "\n".join([*pairs, *(f"* {note}" for note in notes)]) == snapshot


def test_a_source_is_decoded_to_its_end_and_dropped_rows_stay() -> None:
    dropped = DroppedRow("empty")
    codes = rows_of(next(cases("escapes")))
    rows, _ = decoded([*codes, dropped, *["good morning everyone"] * 2000, r"last \u2026"])
    assert rows[len(codes)] == dropped
    assert rows[-1] == "last …"
    assert decoded([]) == ([], [])
    only_dropped: list[Row] = [DroppedRow("empty", r"\u2019")] * 5
    assert decoded(only_dropped) == (only_dropped, [])


def test_the_sample_of_a_source_with_long_rows_is_bounded() -> None:
    rows = iter(["x" * 600_000] * 4)
    decode_escapes(rows, Source(name="a.txt", format="text"))
    assert len(list(rows)) == 2
