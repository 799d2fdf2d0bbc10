"""Sentiment labels and the option --label: which column has them, and which rows are kept.

Labels are known if they are Sentiment140's (0 sad, 2 neutral, 4 happy) or words such as "positive". Other labels, such
as a `target` of 0 and 1, only filter rows when --label-column names their column or --label one of their values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.columns import name_key, requested_column
from engine.errors import CorpusError
from engine.text import listed, sanitize_line

SENTIMENT_NAMES = frozenset({"sentiment", "sentiments", "polarity"})
"""Names of columns in which 0 and 1 mean sad and happy."""
LABEL_NAMES = SENTIMENT_NAMES | {"label", "labels", "target", "airline_sentiment", "sentiment_label"}
LABELLED = "labelled "
WITHOUT_A_LABEL = "without a label"
OTHER_LABEL = "with another label"

_HAPPY_WORDS = frozenset({"positive", "pos", "happy", "very positive", "extremely positive"})
_SAD_WORDS = frozenset({"negative", "neg", "sad", "very negative", "extremely negative"})
_NEUTRAL_WORDS = frozenset({"neutral", "neu", "objective", "objective-or-neutral"})
_WORDS = _HAPPY_WORDS | _SAD_WORDS | _NEUTRAL_WORDS
_MAX_SCALE = 8
"""Labels of a column in which "positive" and "negative" are feelings, whatever the others are."""
_MIN_SAD_ROWS = 100
"""Rows with only the label 0 from which a file is one sorted by label."""
_MAX_NAMED, _MAX_NAME_CHARS = 20, 40
_MAX_VERDICTS = 1000


@dataclass(frozen=True)
class LabelFilter:
    """The labels that are kept, and the reasons to drop rows with others."""

    kept: frozenset[str]
    reasons: dict[str, str]
    """The reason by label; grows with the labels found, up to `_MAX_NAMED`."""
    _verdicts: dict[str, str | None] = field(default_factory=dict)
    """The result by cell, a cache."""

    def reject_reason(self, cell: str) -> str | None:
        """Return the reason to drop a row with this label, or None to keep it."""
        if cell in self._verdicts:
            return self._verdicts[cell]
        label, verdict = _label_of(cell), None
        if label not in self.kept:
            if label not in self.reasons and len(self.reasons) < _MAX_NAMED and len(label) <= _MAX_NAME_CHARS:
                self.reasons[label] = f"{LABELLED}{cell.strip().removesuffix('.0')}"
            verdict = self.reasons.get(label, OTHER_LABEL)
        if len(self._verdicts) < _MAX_VERDICTS and len(cell) <= _MAX_NAME_CHARS:
            self._verdicts[cell] = verdict
        return verdict


@dataclass(frozen=True)
class Labels:
    """The column of the labels, and what is done with them."""

    index: int = -1
    """From 0; -1 without labels."""
    filter: LabelFilter | None = None
    """None if no row is dropped by its label."""
    note: str = ""
    """For the report: "kept happy (4); --label all keeps all"; "" without labels."""


def find_labels(
    rows: Sequence[Sequence[str]], header: Sequence[str], text_column: int, config: CorpusConfig, source_name: str
) -> Labels:
    """Return the labels of a table with these first rows of equal width; `header` is empty without one.

    They are in `config.label_column`, or in the first column with known labels, or with a usual name and the value
    `config.label`; else a column with a usual name is only noted. Raises `CorpusError` if `config.label_column` does
    not exist, or has no label that `config.label` means.
    """
    if config.label_column is not None:
        names = header or (rows[0] if rows else [])
        column = requested_column(names, len(names), config.label_column, "--label-column", source_name)
        return _requested_labels(_labels_in(rows, column), column, config, source_name)
    wanted = _label_of(config.label)
    num_columns = len(header) or (len(rows[0]) if rows else 0)
    labels = {each: _labels_in(rows, each) for each in range(num_columns) if each != text_column}
    zeros = [each for each, seen in labels.items() if seen == {"0"} and not header]
    are_zeros_labels = len(zeros) == 1 and zeros[0] in {0, num_columns - 1}
    unused = Labels()
    for each, seen in labels.items():
        if not seen or (each in zeros and not are_zeros_labels):
            continue
        key = name_key(header[each]) if header else ""
        if _are_known(seen, key, len(rows)) and (header or all(row[each].strip() for row in rows)):
            are_only_sad = seen == {"0"} and key not in SENTIMENT_NAMES  # a file sorted by label: 4 follows
            return _filtered(each, config.label, {"0", "4"} if are_only_sad else seen, are_feelings=True)
        if key in LABEL_NAMES and (wanted in seen or wanted not in {"happy", "sad", "neutral", "all"}):
            return _filtered(each, config.label, seen, are_feelings=False)
        if key in LABEL_NAMES and unused.index < 0:
            options = f"--label-column {sanitize_line(header[each].strip(), 30)} --label VALUE"
            unused = Labels(each, None, f"not used ({_listed(seen)}), every row kept; {options} chooses")
    return unused


def _requested_labels(seen: set[str], column: int, config: CorpusConfig, source_name: str) -> Labels:
    """Return the labels of --label-column. Raises `CorpusError` if --label is a feeling that no label means."""
    is_feeling = _label_of(config.label) in {"happy", "sad", "neutral"}
    may_be_feelings = seen <= {"0", "1"} or seen <= {"0", "2", "4"} or not seen.isdisjoint(_WORDS)
    if is_feeling and not may_be_feelings:
        raise CorpusError(
            f"{source_name} has no label {config.label} in column {config.label_column}.",
            f"Its labels are {_listed(seen)}: choose one with --label, or --label all.",
        )
    return _filtered(column, config.label, seen, are_feelings=is_feeling)


def _filtered(column: int, wanted: str, seen: set[str], *, are_feelings: bool) -> Labels:
    """Return the labels of a column of which those that --label means are kept.

    `seen` are those at the start of the file. Unless they `are_feelings`, digits are mere values.
    """
    wanted = wanted.strip()
    if wanted.casefold() == "all":
        return Labels(column, None, "kept all")
    label = _label_of(wanted)
    is_binary = seen <= {"0", "1"}  # after 0 alone, 1 or 4 may be happy
    happy_digits = {"1", "4"} if seen <= {"0"} else {"1"} if is_binary else {"4"}
    digits = {"happy": happy_digits, "sad": {"0"}, "neutral": {"2"}}
    words = {"happy": _HAPPY_WORDS, "sad": _SAD_WORDS, "neutral": _NEUTRAL_WORDS}
    kept = frozenset({label})
    reasons = {"": WITHOUT_A_LABEL}
    if are_feelings:
        kept = words[label] | digits[label] if label in words else kept
        reasons |= {digit: f"{LABELLED}{name} ({digit})" for name, each in digits.items() for digit in each}
    shown = " or ".join(sorted(kept.intersection(seen) or kept.intersection("0124") or kept))
    shown = wanted if shown == label else f"{wanted} ({shown})"
    return Labels(column, LabelFilter(kept, reasons), f"kept {sanitize_line(shown, 40)}; --label all keeps all")


def _are_known(seen: set[str], key: str, num_rows: int) -> bool:
    """Return whether labels are Sentiment140's or words for feelings; `key` is "" without a header."""
    has_happy, has_sad = not seen.isdisjoint(_HAPPY_WORDS), not seen.isdisjoint(_SAD_WORDS)
    if has_happy and has_sad and len(seen) <= _MAX_SCALE:
        return True
    if (has_happy or has_sad) and (key in LABEL_NAMES or seen <= _WORDS):
        return key != "" or has_happy or num_rows >= _MIN_SAD_ROWS
    if key and key not in LABEL_NAMES:
        return False
    if key in SENTIMENT_NAMES and seen <= {"0", "1"}:
        return True
    return seen <= {"0", "2", "4"} and ("4" in seen or (seen == {"0"} and num_rows >= _MIN_SAD_ROWS))


def _labels_in(rows: Sequence[Sequence[str]], column: int) -> set[str]:
    return {_label_of(row[column]) for row in rows} - {""}


def _label_of(cell: str) -> str:
    """Return a label for comparison: without blanks, and without the ".0" that spreadsheets add."""
    return cell.strip().removesuffix(".0").casefold()


def _listed(seen: set[str]) -> str:
    """Return the first labels, the shortest first, for a message."""
    labels = sorted(seen, key=lambda label: (len(label), label))
    return listed([sanitize_line(label, 20) for label in labels], 6)
