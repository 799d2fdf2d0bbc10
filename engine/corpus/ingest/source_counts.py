"""`SourceCounts`: what became of the rows of one source, counted while they are read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.corpus.cleaning import doubt_about
from engine.corpus.readers.reader import BOOST, REPOST, RETWEET, DroppedRow, Source
from engine.corpus.report import DUPLICATE, SourceReport
from engine.text import EXAMPLE_CHARS, sanitize_line

_MAX_REASON_CHARS = 80
_RETWEETED = re.compile(r"\brt\W{0,3}@", re.IGNORECASE)


@dataclass
class SourceCounts:
    """The counts of one source's rows, updated while they are read."""

    source: Source
    file_index: int
    """Index into `CorpusConfig.files`."""
    num_kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    """An excerpt of one dropped row per reason, but of none that may be another person's words."""
    doubt: str = ""
    """Why the rows do not look like text, or ""."""

    def drop(self, row: DroppedRow) -> None:
        """Count a dropped row, and store an example of its reason."""
        reason = sanitize_line(row.reason, _MAX_REASON_CHARS)
        self.dropped[reason] += 1
        self._add_example(reason, row.example)

    def drop_kept(self, reason: str, count: int, text: str) -> None:
        """Count `count` tweets as dropped that were counted as kept; `text` is one of them."""
        self.num_kept -= count
        self.dropped[reason] += count
        self._add_example(reason, text)

    def _add_example(self, reason: str, text: str) -> None:
        """Store the first example of a reason, unless it may be another person's words."""
        if (
            text
            and reason not in self.examples
            and reason not in {BOOST, REPOST, RETWEET}
            and not _RETWEETED.search(text)
        ):
            self.examples[reason] = sanitize_line(text, EXAMPLE_CHARS)

    def check_text(self, sample: Sequence[str]) -> None:
        """Set `doubt` by a sample of the kept tweets and the counts so far, or else as the reader did."""
        num_duplicates = self.dropped[DUPLICATE]
        self.doubt = doubt_about(sample, self.num_kept + num_duplicates, num_duplicates) or self.source.doubt

    def report(self) -> SourceReport:
        """Return the report on the rows read so far."""
        return SourceReport(
            name=sanitize_line(self.source.name),
            format=self.source.format,
            notes=tuple(map(sanitize_line, self.source.notes)),
            num_rows=self.num_kept + self.dropped.total(),
            num_kept=self.num_kept,
            dropped=dict(self.dropped.most_common()),
            examples=self.examples,
            doubt=self.doubt,
        )
