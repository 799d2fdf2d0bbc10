"""What became of every row: for each source by itself, and for all of them together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

DUPLICATE = "duplicate"
NEAR_DUPLICATE = "near-duplicate"
_MAX_SOURCES = 6
"""Of more sources than this, a short report adds up the others."""


@dataclass(frozen=True, kw_only=True)
class SourceReport:
    """What became of the rows of one source."""

    name: str
    format: str
    notes: tuple[str, ...] = ()
    """What the reader found out: the column, the encoding, the labels."""
    num_rows: int
    num_kept: int
    dropped: dict[str, int]
    """Rows by the reason they were dropped for, the most frequent first; with `num_kept` they add up to `num_rows`."""
    examples: dict[str, str]
    """The beginning of one dropped row for each reason that has one."""

    def __str__(self) -> str:
        """Return it as one line, without the name."""
        return told(self.num_rows, self.num_kept, self.dropped)


@dataclass(frozen=True, kw_only=True)
class CorpusReport:
    """What was read, and what became of it."""

    sources: tuple[SourceReport, ...]
    num_duplicates: int = 0
    """Rows that say what an earlier one said, whether they were dropped or kept."""
    num_near_duplicates: int = 0
    """The same for those that differ from an earlier one in a word or a name."""

    @property
    def num_rows(self) -> int:
        """Rows of all sources."""
        return sum(source.num_rows for source in self.sources)

    @property
    def num_kept(self) -> int:
        """Tweets of all sources."""
        return sum(source.num_kept for source in self.sources)

    @property
    def dropped(self) -> dict[str, int]:
        """Rows of all sources by the reason they were dropped for, the most frequent first."""
        total: Counter[str] = Counter()
        for source in self.sources:
            total.update(source.dropped)
        return dict(total.most_common())

    @property
    def examples(self) -> dict[str, str]:
        """The beginning of one dropped row for each reason."""
        return {reason: text for source in reversed(self.sources) for reason, text in source.examples.items()}

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats that were read, each once."""
        return tuple(dict.fromkeys(source.format for source in self.sources))

    def __str__(self) -> str:
        """Return it as one line."""
        return told(self.num_rows, self.num_kept, self.dropped)


def told(num_rows: int, num_kept: int, dropped: dict[str, int]) -> str:
    """Return what became of some rows as one line."""
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items())
    rows, tweets = counted(num_rows, "row"), counted(num_kept, "tweet")
    return f"{rows} read, {tweets} kept; dropped: {reasons or 'none'}"


def counted(count: int, thing: str) -> str:
    """Return so many of a thing: "1 tweet", "2,000 tweets"."""
    return f"{count:,} {thing}" + ("" if count == 1 else "s")


def summary_lines(report: CorpusReport) -> Iterable[str]:
    """Yield the report in a few lines for a small panel: the first sources, their notes, what was dropped in all."""
    for source in report.sources[:_MAX_SOURCES]:
        yield f"{source.name} ({source.format}): {_kept([source])}"
        if source.notes:
            yield "  " + "; ".join(source.notes)
    more = report.sources[_MAX_SOURCES:]
    if more:
        yield f"and {counted(len(more), 'more file')}: {_kept(more)}"
    if report.dropped:
        yield "dropped: " + ", ".join(f"{count:,} {reason}" for reason, count in report.dropped.items())


def _kept(sources: Sequence[SourceReport]) -> str:
    """Return how many of some sources' rows were kept."""
    num_rows = sum(source.num_rows for source in sources)
    return f"{sum(source.num_kept for source in sources):,} of {counted(num_rows, 'row')} kept"
